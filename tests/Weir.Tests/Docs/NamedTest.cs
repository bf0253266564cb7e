using System.Text.RegularExpressions;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Docs;

/// <summary>A test that a page names, as <c>`Name` in [File](../path/File)</c>.</summary>
internal sealed partial record NamedTest(string Name, string File)
{
    public static IEnumerable<NamedTest> In(string text) =>
        Form().Matches(text).Select(t => new NamedTest(t.Groups["name"].Value, t.Groups["file"].Value));

    /// <summary>What of the text names no test.</summary>
    public static string Rest(string text) => Form().Replace(text, "");

    /// <summary>In SQL the name begins a test's description, in C# it is a method's.</summary>
    public bool IsThere()
    {
        var path = Repository.PathOf(File);
        return System.IO.File.Exists(path) && Regex.IsMatch(
            System.IO.File.ReadAllText(path),
            File.EndsWith(".sql", StringComparison.Ordinal) ? $@"'{Name}\b" : $@"\bpublic [\w<> ]+ {Name}\(",
            RegexOptions.CultureInvariant,
            TimeSpan.FromSeconds(1));
    }

    [GeneratedRegex(
        @"`(?<name>\w+)` in \[[\w.]+\]\(\.\./(?<file>[\w./]+)\)", RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Form();
}
