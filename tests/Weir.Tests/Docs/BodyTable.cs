using System.Globalization;
using System.Text.RegularExpressions;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Docs;

/// <summary>A row of the table in docs/security.md, "What is read before the caller is known". Bytes.</summary>
internal sealed partial record BodyRow(string Program, string Pattern, int Before, int After)
{
    public static IReadOnlyList<BodyRow> Of(string program)
    {
        var page = File.ReadAllText(Repository.PathOf("docs/security.md"));
        var section = page.Split("## What is read before the caller is known")[1].Split("\n## ")[0];
        return [.. Form().Matches(section).Select(r => new BodyRow(
            r.Groups["program"].Value, r.Groups["pattern"].Value, Bytes(r.Groups["before"].Value), Bytes(r.Groups["after"].Value)))
            .Where(r => r.Program == program)];
    }

    private static int Bytes(string text) => text.Trim().Split(' ') switch
    {
        ["0"] => 0,
        [var number, "KiB", ..] => int.Parse(number, CultureInfo.InvariantCulture) * 1024,
        [var number, "MiB", ..] => int.Parse(number, CultureInfo.InvariantCulture) * 1024 * 1024,
        _ => throw new FormatException($"{text} is no number of bytes."),
    };

    [GeneratedRegex(@"^\| (?<program>weir|weir-node) \| `(?<pattern>[^`]+)` \| (?<before>[^|]+) \| (?<after>[^|]+) \|",
        RegexOptions.Multiline | RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Form();
}
