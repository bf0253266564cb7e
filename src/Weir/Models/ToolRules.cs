namespace Weir.Models;

/// <summary>
/// What a provider takes as the description of a tool. What it does not take is left out: the server judges the arguments anyway.
/// </summary>
/// <param name="MaxTools">Most tools of one request.</param>
/// <param name="MaxDescription">Longest description of a tool, or of an argument. Characters.</param>
/// <param name="MaxNesting">Most values within one another that a schema describes. Levels.</param>
/// <param name="IsWhole">
/// It takes JSON Schema of 2020-12; else what all known endpoints of the API take: each schema says what it describes, enumerations are of
/// texts, patterns begin with ^ and end with $.
/// </param>
/// <param name="Formats">Values of <c>format</c>.</param>
internal sealed record ToolRules(int MaxTools, int MaxDescription, int MaxNesting, bool IsWhole, IReadOnlySet<string> Formats)
{
    /// <summary>Of all schemas of one tool together.</summary>
    public const int MaxProperties = 5000;

    /// <summary>Of all enumerations of one tool together.</summary>
    public const int MaxEnumValues = 1000;

    /// <summary>An enumeration of more texts than this holds at most <see cref="MaxLongEnumCharacters"/>.</summary>
    public const int LongEnum = 250;
    public const int MaxLongEnumCharacters = 15_000;

    /// <summary>Of all names and enumerated values of one tool together.</summary>
    public const int MaxCharacters = 120_000;

    private static readonly string[] Common = ["date-time", "date", "time", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"];

    /// <summary>The limits are those that the API has for structured outputs, which some endpoints have for every tool.</summary>
    public static ToolRules OpenAI { get; } =
        new(128, 1024, 10, IsWhole: false, new HashSet<string>(["date-time"], StringComparer.Ordinal));

    public static ToolRules Anthropic { get; } = new(1024, 8192, 20, IsWhole: true, Common.Append("uri").ToHashSet(StringComparer.Ordinal));
}
