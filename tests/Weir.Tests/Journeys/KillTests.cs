using Weir.Tests.Infrastructure;

namespace Weir.Tests.Journeys;

/// <summary>SIGKILL in the middle of calls.</summary>
public sealed class KillTests(RunningUp up) : IClassFixture<RunningUp>
{
    [Fact]
    public async Task After_a_kill_every_admitted_call_has_its_row_and_no_child_is_left_over()
    {
        // Calls that run when the kill comes: the server works on them for longer than the test waits.
        var steps =
            new object[] { new { call = "everything__trigger-long-running-operation", arguments = new { duration = 60, steps = 2 } } };
        var calls = Enumerable.Range(0, 4).Select(_ => up.ClientAsync("legacy.mjs", steps)).ToArray();
        await Until.AsyncTrue(async () => (await up.LogAsync()).Count(r => r.Phase == "requested") == 4, "four admitted calls");
        Processes().Count.ShouldBeGreaterThanOrEqualTo(4, "the node, PostgreSQL and the servers");

        await up.KillAsync();
        foreach (var call in calls)
        {
            (await call)[1].TryGetProperty("error", out _).ShouldBeTrue();
        }

        await Until.True(() => Processes().Count == 0, "no process of this data directory is left");

        await up.StartAsync();
        var rows = await up.LogAsync();
        rows.Count(r => r.Phase == "requested").ShouldBe(4);
        rows.ShouldNotContain(r => r.Phase == "completed" && r.Kind == "tool_execution", "a call without an outcome shows as exactly that");

        var after =
            await up.ClientAsync("legacy.mjs", new object[] { new { call = "everything__echo", arguments = new { message = "again" } } });
        DemoTests.Text(after[1]).ShouldBe("Echo: again");
    }

    /// <summary>Processes whose command line names the data directory.</summary>
    private List<string> Processes()
    {
        var found = new List<string>();
        foreach (var directory in Directory.GetDirectories("/proc").Where(d => Path.GetFileName(d).All(char.IsAsciiDigit)))
        {
            try
            {
                var command = File.ReadAllText(Path.Combine(directory, "cmdline")).Replace('\0', ' ');
                if (command.Contains(up.Directory, StringComparison.Ordinal) && !command.Contains("legacy.mjs", StringComparison.Ordinal))
                {
                    found.Add(command);
                }
            }
            catch (IOException)
            {
                // It ended while it was looked at.
            }
        }

        return found;
    }
}
