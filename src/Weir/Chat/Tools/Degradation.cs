using System.Text.Json.Serialization;

namespace Weir.Chat.Tools;

/// <summary>Something that the answer had to do without.</summary>
/// <param name="Source">
/// <c>server</c> (an instance does not run), <c>tool</c> (a call), <c>context</c> (a resource or prompt), <c>documents</c>, <c>catalog</c>,
/// <c>history</c>, <c>tools</c> (their use), <c>model</c> or <c>turn</c>.
/// </param>
/// <param name="Reason">
/// For a server its status; else <c>late</c>, <c>timeout</c>, <c>unavailable</c>, <c>failed</c>, <c>denied</c>, <c>tool_error</c>,
/// <c>rate_limited</c>, <c>changing</c>, <c>refused</c>, <c>unknown_model</c>, <c>key_missing</c>, <c>trimmed</c>, <c>dropped</c>,
/// <c>conflict</c>, <c>off</c>, <c>left_out</c> or <c>cut_off</c>.
/// </param>
internal sealed record Degradation(
    string Source,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Server,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Tool,
    string Reason,
    string Message);
