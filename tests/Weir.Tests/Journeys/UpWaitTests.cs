using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.Json;

namespace Weir.Tests.Journeys;

/// <summary>What <c>up</c> waits for, as it tells a person.</summary>
public sealed class UpWaitTests : IAsyncLifetime
{
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(6);

    private readonly string _directory = Directory.CreateTempSubdirectory("weir-up-").FullName;
    private Process? _process;
    private Task<string> _errors = Task.FromResult("");

    public ValueTask InitializeAsync()
    {
        if (Environment.IsPrivilegedProcess)
        {
            File.SetUnixFileMode(_directory, File.GetUnixFileMode(_directory) | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
        }

        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is { HasExited: false })
        {
            await StopAsync();
        }

        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task It_says_that_it_waits_for_the_demos_servers_and_does_not_wait_for_one_that_nobody_has_deployed()
    {
        await StartAsync();
        await CreateIdleServerAsync();
        var waits = (await StopAsync()).Split('\n').Where(l => l.StartsWith("Waiting for ", StringComparison.Ordinal)).ToArray();
        waits[0].ShouldEndWith(", at most 120 s …");
        foreach (var name in new[] { "everything", "filesystem", "memory" })
        {
            waits[0].ShouldContain($"{name} (deploying)");
        }

        // It waits for nothing that it does not name.
        await StartAsync();
        (await StopAsync()).ShouldNotContain("idle-one");
    }

    /// <summary>Returns when it says that it runs.</summary>
    private async Task StartAsync()
    {
        using var timeout = new CancellationTokenSource(Timeout);
        _process = Process.Start(RunningUp.Command(new Dictionary<string, string>(), "up", "--data", _directory))!;
        _errors = _process.StandardError.ReadToEndAsync(CancellationToken.None);
        while (await _process.StandardOutput.ReadLineAsync(timeout.Token) is { } line && !line.Contains("Ctrl-C", StringComparison.Ordinal))
        {
        }
    }

    /// <returns>What it said while it ran.</returns>
    private async Task<string> StopAsync()
    {
        await RunningUp.RunAsync("down", "--data", _directory);
        await _process!.WaitForExitAsync();
        return await _errors;
    }

    private async Task CreateIdleServerAsync()
    {
        var connection = JsonElement.Parse(await File.ReadAllTextAsync(Path.Combine(_directory, "up.json")));
#pragma warning disable RS0030 // The tests speak to Weir from outside; the product's egress is not theirs.
        using var http = new HttpClient { BaseAddress = new Uri(connection.GetProperty("url").GetString()!) };
#pragma warning restore RS0030
        http.DefaultRequestHeaders.Authorization = new("Bearer", connection.GetProperty("userToken").GetString());
        var organizations = await http.GetFromJsonAsync<JsonElement>("/rest/v1/organizations?select=id");
        using var made = await http.PostAsJsonAsync("/rest/v1/rpc/manage_mcp_servers", new
        {
            action = "create",
            organization_id = organizations[0].GetProperty("id").GetString(),
            server_config = new { instance_name = "idle-one", catalog = "memory" },
        });
        var answer = await made.Content.ReadAsStringAsync();
        JsonElement.Parse(answer).TryGetProperty("id", out _).ShouldBeTrue(answer);
    }
}
