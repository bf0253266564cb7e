using Weir.Configuration;

namespace Weir.Tests.Journeys;

/// <summary>`up --detach` returns when it is ready, and `down` when nothing is left.</summary>
public sealed class DetachTests : IAsyncLifetime
{
    private readonly string _directory = Directory.CreateTempSubdirectory("weir-detach-").FullName;

    public ValueTask InitializeAsync()
    {
        // As root, others must be able to pass through, or `up` would keep its data in /var/lib/weir.
        File.SetUnixFileMode(_directory, File.GetUnixFileMode(_directory) | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        await RunningUp.RunAsync("down", "--data", _directory);
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task Up_detached_and_down()
    {
        // Nothing here is about the servers, and without a registry there is nothing to install.
        var up = await RunningUp.RunAsync(RunningUp.WithoutRegistry, "up", "--detach=true", $"--data={_directory}");
        up.ExitCode.ShouldBe(0, up.Errors);
        up.Output.ShouldContain("Weir runs at http://127.0.0.1:");
        up.Output.ShouldContain("./weir down stops everything");
        DataDirectory.IsHeld(_directory).ShouldBeTrue();

        var down = await RunningUp.RunAsync("down", "--data", _directory);
        (down.ExitCode, down.Output.Trim()).ShouldBe((0, "Stopped."));
        DataDirectory.IsHeld(_directory).ShouldBeFalse();
    }
}
