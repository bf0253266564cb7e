using System.Text;
using System.Text.Json;
using Weir.Errors;

namespace Weir.Nodes;

/// <summary>
/// Replaces the values of the environment and of the <c>writeOnly</c> configuration by <c>***</c>: each as it is and line by line, as JSON,
/// JSON in JSON, <c>console.log</c> and a URL write it, and whole in Base64; and the beginning of one at the end of a line that was cut.
/// </summary>
internal sealed class LogMask
{
    /// <summary>Values of fewer than 4 characters are not masked: masking every <c>1</c> would make a log unreadable.</summary>
    public const int ShortestValue = 4;

    /// <summary>
    /// The most that the values have in all their spellings: a plain one about twice its length, one of quotes and spaces twenty times. A
    /// configuration may have 64 KiB.
    /// </summary>
    public const int MostCharacters = 512 * 1024;

    private const string Mask = "***";

    /// <summary>A node cuts a line at 8 KiB, and may then leave part of a character away.</summary>
    private const int CutAt = (8 * 1024) - 4;

    private readonly TextSet _texts = new(MostCharacters);

    private LogMask(HashSet<string> values, CancellationToken ct)
    {
        try
        {
            foreach (var text in values.SelectMany(SpelledValue.Forms).Concat(Lines(values).SelectMany(SpelledValue.Line)))
            {
                ct.ThrowIfCancellationRequested();
                _texts.Add(text);
            }
        }
        catch (WeirException e) when (e.Code == ErrorCode.TooLarge)
        {
            throw new WeirException(
                ErrorCode.TooLarge,
                "The log is not shown: its server's configuration has more values to mask than Weir looks for, "
                + $"{MostCharacters} characters in all their spellings.",
                "Make the configuration shorter.", e);
        }

        _texts.Link();
    }

    /// <param name="env">The templates of the catalog entry.</param>
    /// <param name="schema">Of the configuration; it says what of it is written only.</param>
    /// <exception cref="WeirException">WR014: the values have more than <see cref="MostCharacters"/>.</exception>
    public static LogMask Of(JsonElement env, JsonElement configuration, JsonElement schema, CancellationToken ct = default)
    {
        var values = new List<string>();
        CollectWriteOnly(configuration, schema, values);
        if (!ServerTemplates.TryReadEnv(env, configuration, values))
        {
            // It cannot be started with this configuration; an earlier one may have had any of these values.
            Collect(configuration, values);
        }

        return new LogMask([.. values.Where(v => v.Length >= ShortestValue)], ct);
    }

    public string Apply(string text)
    {
        // Measured before anything is masked.
        var isCut = Encoding.UTF8.GetByteCount(text) >= CutAt;
        var searched = isCut ? text.AsSpan().TrimEnd("…\uFFFD") : text;
        var spans = _texts.Find(searched, out var begun);
        var end = isCut && begun >= ShortestValue ? searched.Length - begun : text.Length;
        var masked = new StringBuilder(text.Length);
        var shown = 0;
        foreach (var span in spans.TakeWhile(s => s.Start < end))
        {
            masked.Append(text, shown, span.Start - shown).Append(Mask);
            shown = span.End;
        }

        return end < text.Length
            ? masked.Append(text, shown, Math.Max(0, end - shown)).Append(shown > end ? "" : Mask).ToString()
            : masked.Append(text, shown, text.Length - shown).ToString();
    }

    /// <summary>The log has lines, so a value of several is looked for line by line.</summary>
    private static HashSet<string> Lines(HashSet<string> values) =>
    [
        .. values.SelectMany(v => v.Split('\n')).Select(l => l.TrimEnd('\r')).Where(l => l.Length >= ShortestValue && !values.Contains(l)),
    ];

    /// <summary>At any depth, as the schema is checked and shown.</summary>
    private static void CollectWriteOnly(JsonElement value, JsonElement schema, List<string> values)
    {
        if (schema.ValueKind != JsonValueKind.Object)
        {
            return;
        }

        if (schema.TryGetProperty("writeOnly", out var writeOnly) && writeOnly.ValueKind == JsonValueKind.True)
        {
            Collect(value, values);
        }
        else if (value.ValueKind == JsonValueKind.Array && schema.TryGetProperty("items", out var items))
        {
            foreach (var item in value.EnumerateArray())
            {
                CollectWriteOnly(item, items, values);
            }
        }
        else if (value.ValueKind == JsonValueKind.Object
            && schema.TryGetProperty("properties", out var properties) && properties.ValueKind == JsonValueKind.Object)
        {
            foreach (var member in value.EnumerateObject())
            {
                if (properties.TryGetProperty(member.Name, out var property))
                {
                    CollectWriteOnly(member.Value, property, values);
                }
            }
        }
    }

    private static void Collect(JsonElement value, List<string> values)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.String:
                values.Add(value.GetString()!);
                break;
            case JsonValueKind.Number:
                values.Add(value.GetRawText());
                break;
            case JsonValueKind.Array:
                foreach (var item in value.EnumerateArray())
                {
                    Collect(item, values);
                }

                break;
            case JsonValueKind.Object:
                foreach (var member in value.EnumerateObject())
                {
                    Collect(member.Value, values);
                }

                break;
        }
    }
}
