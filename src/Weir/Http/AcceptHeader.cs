using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace Weir.Http;

/// <summary>
/// What a request's <c>Accept</c> allows, by RFC 9110: of the ranges that match, the most specific one counts, a weight of 0 excludes,
/// parameters other than the weight are ignored, and no header, or none that can be read, allows everything.
/// </summary>
internal static class AcceptHeader
{
    public const string Json = "application/json";

    /// <summary>What the official clients send.</summary>
    private const string Usual = "application/json, text/event-stream";

    public static bool Allows(HttpRequest request, string type) => Weight(request, type) > 0;

    /// <summary>From 0, not acceptable, to 1.</summary>
    public static double Weight(HttpRequest request, string type)
    {
        var header = request.Headers.Accept;
        if (header is [Usual] && type is Json or EventStream.ContentType)
        {
            return 1;
        }

        if (!MediaTypeHeaderValue.TryParseList(header, out var ranges) || ranges.Count == 0)
        {
            return 1;
        }

        return ranges.GroupBy(r => Specificity(r, type)).Where(g => g.Key > 0).MaxBy(g => g.Key)?.Max(r => r.Quality ?? 1) ?? 0;
    }

    /// <summary>Whether the type itself is named, and not only a range that it is in.</summary>
    public static bool Names(HttpRequest request, string type) =>
        MediaTypeHeaderValue.TryParseList(request.Headers.Accept, out var ranges) && ranges.Any(r => Specificity(r, type) == 3);

    private static int Specificity(MediaTypeHeaderValue range, string type) =>
        range.MatchesAllTypes ? 1
        : range.MatchesAllSubTypes ? (type.StartsWith(range.Type + "/", StringComparison.OrdinalIgnoreCase) ? 2 : 0)
        : range.MediaType.Equals(type, StringComparison.OrdinalIgnoreCase) ? 3 : 0;
}
