using Weir.Tests.Infrastructure;

namespace Weir.Tests.Conformance;

/// <summary>
/// What one cell of the matrix does not pass yet, each scenario with its reason: <c>scenario: reason</c>. A name that ends in
/// <c>*</c> takes scenarios out of the measure. The list only shrinks: what fails and is not listed, and what is listed and passes, both
/// fail the test.
/// <c>WEIR_TEST_WRITE_EXPECTED=1</c> writes the lists anew and keeps the reasons.
/// </summary>
internal sealed class ExpectedFailures
{
    private readonly string _file;
    private readonly Dictionary<string, string> _reasons;

    private ExpectedFailures(string file)
    {
        _file = file;
        _reasons = File.Exists(file)
            ? File.ReadLines(file).Where(line => line.Length > 0 && line[0] != '#').Select(line => line.Split(": ", 2))
                .ToDictionary(pair => pair[0], pair => pair[1])
            : [];
    }

    public static ExpectedFailures Of(string cell) => new(Repository.PathOf($"tests/Weir.Tests/Conformance/expected/{cell}.txt"));

    public void Check(IReadOnlyList<ScenarioResult> results)
    {
        var measured = results.Where(r => !IsOutside(r.Scenario)).ToArray();
        if (Environment.GetEnvironmentVariable("WEIR_TEST_WRITE_EXPECTED") == "1")
        {
            Write(measured);
            return;
        }

        var failing = measured.Where(r => !r.HasPassed).ToDictionary(r => r.Scenario);
        var unexpected = failing.Values.Where(r => !_reasons.ContainsKey(r.Scenario)).Select(r => "unexpected failure of " + r);
        var stale = _reasons.Keys.Where(name => name[^1] == '*' ? measured.Length == results.Count : !failing.ContainsKey(name))
            .Select(name => $"{name} is listed in {Path.GetFileName(_file)} and does not fail any more");
        string.Join('\n', unexpected.Concat(stale)).ShouldBeEmpty();
    }

    private bool IsOutside(string scenario) =>
        _reasons.Keys.Any(name => name[^1] == '*' && scenario.StartsWith(name[..^1], StringComparison.Ordinal));

    private void Write(ScenarioResult[] measured)
    {
        var lines = _reasons.Where(r => r.Key[^1] == '*').Select(r => $"{r.Key}: {r.Value}")
            .Concat(measured.Where(r => !r.HasPassed).Select(r => $"{r.Scenario}: {_reasons.GetValueOrDefault(r.Scenario, "not yet")}"));
        File.WriteAllLines(_file, lines);
    }
}
