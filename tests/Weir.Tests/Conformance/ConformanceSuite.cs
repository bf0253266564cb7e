using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;
using Weir.Tests.Infrastructure;
using Weir.Tests.Journeys;

namespace Weir.Tests.Conformance;

/// <summary>One assertion of the suite.</summary>
internal sealed record Check(string Id, string Status, string Message);

/// <summary>What the suite found in one scenario.</summary>
internal sealed record ScenarioResult(string Scenario, IReadOnlyList<Check> Checks)
{
    /// <summary>
    /// Stricter than the suite: what a specification says should be is asked for as what must be, and a scenario that found nothing to
    /// check has not passed.
    /// </summary>
    public bool HasPassed => Problems.Count == 0 && Checks.Any(c => c.Status == "SUCCESS");

    public IReadOnlyList<Check> Problems => [.. Checks.Where(c => c.Status is "FAILURE" or "WARNING")];

    public override string ToString() =>
        $"{Scenario}: "
            + $"{(Problems.Count == 0
                ? "nothing was checked" : string.Join(" | ", Problems.Select(p => $"{p.Status} {p.Id}: {p.Message}")))}";
}

/// <summary>The official conformance suite of tests/clients, run as its users run it.</summary>
internal static partial class ConformanceSuite
{
    public const string Modern = "2026-07-28";
    public const string Legacy = "2025-11-25";

    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(4);

    private static string Package => Repository.PathOf("tests/clients/node_modules/@modelcontextprotocol/conformance");

    /// <summary>Everything that a revision asks of a server: one result for each scenario of the set.</summary>
    public static Task<IReadOnlyList<ScenarioResult>> ServerAsync(Uri url, string requirements) =>
        RunAsync("server", requirements, "--url", url.ToString());

    /// <param name="command">Is run with the URL of each scenario's server.</param>
    public static Task<IReadOnlyList<ScenarioResult>> ClientAsync(string command, string requirements) =>
        RunAsync("client", requirements, "--timeout", "90000", "--command", command);

    private static async Task<IReadOnlyList<ScenarioResult>> RunAsync(string leg, string requirements, params string[] target)
    {
        var directory = Directory.CreateTempSubdirectory("weir-conformance-").FullName;
        try
        {
            var output = await NodeAsync(
                [Path.Combine(Package, "dist/index.js"), leg, .. target, "--requirements", requirements, "--output-dir", directory]);
            var found = Directory.EnumerateFiles(directory, "checks.json", SearchOption.AllDirectories)
                .ToDictionary(file => ScenarioOf(directory, file, leg), Read);
            found.ShouldNotBeEmpty(output);
            return [
                .. Scenarios(leg, requirements)
                    .Select(
                    name =>
                        new ScenarioResult(
                            name, found.GetValueOrDefault(name) ?? [new Check(name, "FAILURE", "the suite did not run it")])),
            ];
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static async Task<string> NodeAsync(string[] arguments)
    {
        using var process = Process.Start(
            new ProcessStartInfo(
                NodeScript.Node22, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false })!;
        using var timeout = new CancellationTokenSource(Timeout);
        try
        {
            var output = process.StandardOutput.ReadToEndAsync(timeout.Token);
            var errors = process.StandardError.ReadToEndAsync(timeout.Token);
            await process.WaitForExitAsync(timeout.Token);
            return await output + await errors;
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill(entireProcessTree: true);
            }
        }
    }

    private static Check[] Read(string file)
    {
        using var json = JsonDocument.Parse(File.ReadAllText(file));
        return [.. json.RootElement.EnumerateArray().Select(c => new Check(
            c.GetProperty("id").GetString()!,
            c.GetProperty("status").GetString()!,
            c.TryGetProperty("errorMessage", out var message) ? message.GetString()! : c.GetProperty("description").GetString()!))];
    }

    /// <summary>The suite's directory is the scenario's name between the leg and the time.</summary>
    private static string ScenarioOf(string directory, string file, string leg)
    {
        var name = Time().Replace(Path.GetRelativePath(directory, Path.GetDirectoryName(file)!), "");
        return leg == "server" ? name["server-".Length..] : name;
    }

    /// <summary>The scenarios of a set, scored or only reported, from the file that the suite ships.</summary>
    private static IEnumerable<string> Scenarios(string leg, string requirements)
    {
        var section = "";
        var reported = "";
        foreach (var line in File.ReadLines(Path.Combine(Package, $"requirements/{requirements}.yaml")))
        {
            if (Section().Match(line) is { Success: true } begun)
            {
                section = begun.Groups["name"].Value;
            }
            else if (Reported().Match(line) is { Success: true } scenario)
            {
                reported = scenario.Groups["name"].Value;
            }
            else if (line.Trim() == $"leg: {leg}")
            {
                yield return reported;
            }
            else if (section == leg && Scored().Match(line) is { Success: true } scored)
            {
                yield return scored.Groups["name"].Value;
            }
        }
    }

    [GeneratedRegex(@"-\d{4}-\d{2}-\d{2}T[\dZ-]+$", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Time();

    [GeneratedRegex(@"^(?<name>\w+):", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Section();

    [GeneratedRegex(@"^  - scenario: (?<name>\S+)$", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Reported();

    [GeneratedRegex(@"^  - (?<name>\S+)$", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Scored();
}
