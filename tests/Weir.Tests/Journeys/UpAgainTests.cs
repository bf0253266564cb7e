using System.Diagnostics;
using System.Text.Json.Nodes;

namespace Weir.Tests.Journeys;

/// <summary><c>up</c> on a data directory whose demo is no more what it was.</summary>
public sealed class UpAgainTests(UpWithoutRegistry up) : IClassFixture<UpWithoutRegistry>
{
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(3);

    [Fact]
    public async Task After_stop_all_it_starts_and_says_how_calls_are_started_again()
    {
        await SwitchAsync("stop-all", "All calls are stopped. Start them again with weir start-all.");
        var said = await RestartAsync();
        said.ShouldContain("Calls of the demo agent are switched off. `weir start-all` starts them again after `weir stop-all`");
        await SwitchAsync("start-all", "Calls are admitted again.");
        (await RestartAsync()).ShouldNotContain("switched off");
    }

    [Fact]
    public async Task Where_the_demos_organization_was_deleted_it_makes_no_second_one_and_no_second_platform_admin()
    {
        var email = up["email"];
        await up.LookAsync("update public.organizations set deleted_at = now() returning id", r => r.GetGuid(0));
        (await RestartAsync()).ShouldContain("The demo's organization was deleted or is switched off, so there is no demo.");
        (up["email"], up.Report.GetProperty("agentKey").GetString()).ShouldBe((email, null));
        (await up.LookAsync("select count(*) from public.organizations", r => r.GetInt64(0))).ShouldBe([1]);
        (await up.LookAsync("select count(*) from weir.platform_admins", r => r.GetInt64(0))).ShouldBe([1]);

        // Restored, and as an earlier release has kept it.
        await up.LookAsync("update public.organizations set deleted_at = null returning id", r => r.GetGuid(0));
        var file = Path.Combine(up.Directory, "demo.json");
        var kept = JsonNode.Parse(await File.ReadAllTextAsync(file))!.AsObject();
        kept.Remove("serverIds").ShouldBeTrue();
        await File.WriteAllTextAsync(file, kept.ToJsonString());
        (await RestartAsync()).ShouldContain("  filesystem   failed (registry_unreachable)");
        up.Report.GetProperty("agentKey").GetString().ShouldNotBeNull();
    }

    /// <summary>Stops it, starts it once as a person sees it, and again.</summary>
    /// <returns>What it said to the person.</returns>
    private async Task<string> RestartAsync()
    {
        (await up.StopAsync()).ShouldBe(0);
        using var timeout = new CancellationTokenSource(Timeout);
        using var process = Process.Start(RunningUp.Command(RunningUp.WithoutRegistry, "up", "--data", up.Directory))!;
        var said = process.StandardError.ReadToEndAsync(CancellationToken.None);
        while (await process.StandardOutput.ReadLineAsync(timeout.Token) is { } line && !line.Contains("Ctrl-C", StringComparison.Ordinal))
        {
        }

        await RunningUp.RunAsync("down", "--data", up.Directory);
        await process.WaitForExitAsync(timeout.Token);
        await up.StartAsync();
        return await said;
    }

    private async Task SwitchAsync(string command, string said)
    {
        var (exitCode, output, errors) = await RunningUp.RunAsync(
            new Dictionary<string, string> { ["WEIR_OWNER_DATABASE_URL"] = up["ownerDatabaseUrl"] }, command);
        (exitCode, output.Trim()).ShouldBe((0, said), errors);
    }
}
