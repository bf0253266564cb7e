namespace Weir.Chat.Tools;

/// <summary>What a server can add to a turn's context.</summary>
internal static class ContextKinds
{
    public const string Resource = "resource";
    public const string Prompt = "prompt";
}
