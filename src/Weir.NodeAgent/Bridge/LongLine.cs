using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Weir.NodeAgent.Bridge;

/// <summary>
/// Whose answer a line was that was too long to be kept. Servers write the id of an answer first or last; there it is a member of the
/// message itself and of nothing inside it. The ids are the bridge's own, so they are numbers.
/// </summary>
internal static partial class LongLine
{
    private const int Looked = 256;

    public static long? IdInHead(ReadOnlySpan<byte> head) => Id(AtStart(), head[..Math.Min(head.Length, Looked)]);

    public static long? IdInTail(ReadOnlySpan<byte> tail) => Id(AtEnd(), tail);

    private static long? Id(Regex pattern, ReadOnlySpan<byte> bytes) =>
        pattern.Match(Encoding.Latin1.GetString(bytes)) is { Success: true } match
            ? long.Parse(match.Groups["id"].Value, CultureInfo.InvariantCulture) : null;

    [GeneratedRegex("""\A\s*\{\s*("jsonrpc"\s*:\s*"2\.0"\s*,\s*)?"id"\s*:\s*(?<id>[0-9]{1,18})\s*,""",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex AtStart();

    [GeneratedRegex(""",\s*"id"\s*:\s*(?<id>[0-9]{1,18})\s*(,\s*"jsonrpc"\s*:\s*"2\.0"\s*)?\}\s*\z""",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex AtEnd();
}
