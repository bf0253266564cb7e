namespace Weir.Chat.Tools;

/// <summary>What a tool is beyond what a model's provider is told of it. A tool answers with it by <c>GetService</c>.</summary>
/// <param name="Server">The instance's name.</param>
/// <param name="Tool">The server's own name for it.</param>
/// <param name="Announces">It announces <c>readOnlyHint: true</c>.</param>
/// <param name="Marked">An admin listed it in the instance's <c>chat.offline</c>.</param>
internal sealed record ToolFacts(string Server, string Tool, bool Announces, bool Marked)
{
    /// <summary>
    /// Both are needed: a server's word alone is not enough, and an admin's mark does not make a writing tool a reading one.
    /// </summary>
    public bool IsForOffline => Announces && Marked;
}
