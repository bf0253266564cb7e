using System.Globalization;
using System.Text.RegularExpressions;

namespace Weir.Rest;

/// <summary>Reads a query string, and a <c>Range</c> header, as what is asked of a relation.</summary>
internal static partial class QueryParser
{
    private static readonly string[] Once = ["select", "order", "limit", "offset"];

    /// <summary>Parameters of PostgREST's writes, which it ignores where nothing is written.</summary>
    private static readonly string[] Ignored = ["columns", "on_conflict"];

    /// <param name="query">Decoded, in the order in which they came; a filter may be there several times.</param>
    /// <param name="range">The <c>Range</c> header; one that is not understood is none, as RFC 9110 says.</param>
    public static ReadRequest Parse(
        PublishedRelation relation, IReadOnlyList<KeyValuePair<string, string>> query, string? range, long maxRows)
    {
        var settings = new Dictionary<string, string>(StringComparer.Ordinal);
        var conditions = new List<Condition>();
        var filters = new FilterParser(relation);
        foreach (var (key, value) in query)
        {
            if (Ignored.Contains(key, StringComparer.Ordinal))
            {
                continue;
            }

            if (!Once.Contains(key, StringComparer.Ordinal))
            {
                conditions.Add(filters.Parse(key, value));
            }
            else if (!settings.TryAdd(key, value))
            {
                throw RestErrors.Parse(key, value, $"{key} is there twice.");
            }
        }

        return new ReadRequest(
            settings.TryGetValue("select", out var select) && select.Trim(' ') is { Length: > 0 } columns
                ? FieldParser.Select(relation, columns)
                : [.. FieldParser.Everything(relation)],
            conditions,
            settings.TryGetValue("order", out var order) && order.Length > 0 ? FieldParser.Order(relation, order) : [],
            Rows(settings, range, maxRows));
    }

    /// <summary>What header and parameters both allow, and the configuration.</summary>
    private static RowRange Rows(Dictionary<string, string> settings, string? range, long maxRows)
    {
        var (first, last) = (0L, long.MaxValue - 1);
        if (range is not null && RangeForm().Match(range) is { Success: true } form)
        {
            first = long.Parse(form.Groups["first"].Value, CultureInfo.InvariantCulture);
            last = form.Groups["last"] is { Length: > 0, Value: var to } ? long.Parse(to, CultureInfo.InvariantCulture) : last;
        }

        if (last < first)
        {
            throw RestErrors.Range("The lower boundary must be lower than or equal to the upper boundary in the Range header.");
        }

        var offset = Math.Max(first, Number(settings, "offset") ?? 0);
        var limit = Math.Min(maxRows, Number(settings, "limit") ?? long.MaxValue);
        return new RowRange(offset, Math.Clamp(last - offset + 1, 0, limit));
    }

    /// <summary>What is no whole number is as if it were not there, as with PostgREST: <c>limit=undefined</c>.</summary>
    private static long? Number(Dictionary<string, string> settings, string key)
    {
        if (!settings.TryGetValue(key, out var text)
            || !long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number))
        {
            return null;
        }

        return number >= 0 ? number
            : throw RestErrors.Range(
                key == "limit" ? "Limit should be greater than or equal to zero." : "Offset should be greater than or equal to zero.");
    }

    [GeneratedRegex(
        @"^(items=)?(?<first>\d{1,15})-(?<last>\d{0,15})\z", RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, 1000)]
    private static partial Regex RangeForm();
}
