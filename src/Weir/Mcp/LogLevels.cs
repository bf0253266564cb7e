namespace Weir.Mcp;

/// <summary>The levels of log messages (RFC 5424), least urgent first.</summary>
internal static class LogLevels
{
    private static readonly string[] All = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

    public static bool IsKnown(string? level) => Array.IndexOf(All, level) >= 0;

    /// <summary>
    /// Whether who wants messages from <paramref name="wanted"/> on gets one of <paramref name="level"/>. Who named no level gets none.
    /// </summary>
    public static bool Reaches(string? level, string? wanted) =>
        wanted is not null && Array.IndexOf(All, level) >= Array.IndexOf(All, wanted) && IsKnown(wanted);

    /// <summary>The more talkative of two; null is silence.</summary>
    public static string? Lower(string? one, string? other) =>
        one is null ? other : other is null || Array.IndexOf(All, one) <= Array.IndexOf(All, other) ? one : other;
}
