using System.Text.Json.Serialization;

namespace Weir.Chat.Tools;

/// <summary>How one call of a turn ended.</summary>
internal static class ToolCallOutcomes
{
    public const string Ok = "ok";

    /// <summary>The tool ran and says that it failed.</summary>
    public const string ToolError = "tool_error";

    /// <summary>Admission said no; nothing reached the server.</summary>
    public const string Denied = "denied";

    /// <summary>The server did not answer, not in time, or not as the protocol wants.</summary>
    public const string Failed = "failed";
}

/// <summary>
/// What a model gets back from a tool. The text is a server's: data from outside, always beside the name of who said it, and
/// never part of a system message. A model reads it as JSON, which no text in it can end.
/// </summary>
/// <param name="Outcome">One of <see cref="ToolCallOutcomes"/>.</param>
/// <param name="Text">What the server said, trimmed; or, of a call that had no answer, what Weir says about it.</param>
internal sealed record ToolOutput(
    [property: JsonPropertyName("server")] string Server,
    [property: JsonPropertyName("tool")] string Tool,
    [property: JsonPropertyName("outcome")] string Outcome,
    [property: JsonPropertyName("text")] string Text)
{
    /// <summary>Whether the text is the server's.</summary>
    [JsonIgnore]
    public bool IsAnswer => Outcome is ToolCallOutcomes.Ok or ToolCallOutcomes.ToolError;
}
