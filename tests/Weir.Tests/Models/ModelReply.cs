using System.Text.Json;

namespace Weir.Tests.Models;

/// <summary>What a provider answers one request with, whatever format it speaks.</summary>
internal abstract record ModelReply
{
    /// <summary>Text in pieces, if any, and calls, if any.</summary>
    internal sealed record Says(string[] Pieces, params ToolUse[] Calls) : ModelReply;

    /// <summary>The provider's word for "no"; without text too.</summary>
    internal sealed record Refuses(string Words) : ModelReply;

    internal sealed record Status(int Code, string? Body = null, string? RetryAfter = null) : ModelReply;

    /// <summary>200 with this body, and the content type that was asked for.</summary>
    internal sealed record Raw(string Body) : ModelReply;

    /// <summary>Some of the text, then the connection ends.</summary>
    internal sealed record Breaks(params string[] Pieces) : ModelReply;

    /// <summary>Some of the text, then nothing, until whoever asks goes away.</summary>
    internal sealed record Hangs(params string[] Pieces) : ModelReply;

    public static ModelReply Text(params string[] pieces) => new Says(pieces);

    public static ModelReply Call(string name, object arguments, string id = "call_1") =>
        new Says([], new ToolUse(id, name, JsonSerializer.Serialize(arguments)));
}

/// <param name="Arguments">JSON, or what the model takes for it.</param>
internal sealed record ToolUse(string Id, string Name, string Arguments);
