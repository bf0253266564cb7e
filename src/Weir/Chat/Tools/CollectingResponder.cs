using System.Text.Json;
using Weir.Chat.Gathering;
using Weir.Configuration;
using Weir.Errors;
using Weir.Gateway.Calls;
using Weir.Upstream;

namespace Weir.Chat.Tools;

/// <summary>Keeps the response of one call; what a server says on the way is of no use to a turn.</summary>
internal sealed class CollectingResponder : ICallResponder
{
    private UpstreamMessage? _response;

    public ValueTask NotifyAsync(UpstreamMessage message, CancellationToken ct) => ValueTask.CompletedTask;

    /// <summary>A turn offers nothing to servers, so none is put through to here.</summary>
    public Task<ClientResponse> AskAsync(string method, ReadOnlyMemory<byte> parameters, CancellationToken ct) =>
        throw new InvalidOperationException("A chat turn cannot be asked.");

    public ValueTask FinishAsync(UpstreamMessage message, UpstreamSession session, CancellationToken ct)
    {
        _response = message;
        return ValueTask.CompletedTask;
    }

    /// <summary>The outcome and its text.</summary>
    public (string Outcome, string Text) Read(string server)
    {
        if (_response is not { } message)
        {
            return (ToolCallOutcomes.Failed, $"The server '{server}' ended its answer without a response.");
        }

        var fields = message.Fields;
        if (fields.Error.Exists)
        {
            using var error = JsonDocument.Parse(fields.Error.Of(message.Bytes), new JsonDocumentOptions { MaxDepth = JsonDepth.Message });
            var text = error.RootElement.TryGetProperty("message", out var words) && words.ValueKind == JsonValueKind.String
                ? words.GetString()! : "an error without words";
            return (ToolCallOutcomes.ToolError, ToolText.Trim(text));
        }

        if (fields.ResultType is not (null or "complete"))
        {
            return (ToolCallOutcomes.Failed, $"The server '{server}' wants to ask the person something, which chat does not offer.");
        }

        using var result = Parse(message);
        return (fields.IsToolError ? ToolCallOutcomes.ToolError : ToolCallOutcomes.Ok, ToolText.Of(result.RootElement));
    }

    /// <summary>What a resource or prompt says, however much that is.</summary>
    /// <exception cref="CallFailedException">The server answered with something else.</exception>
    public string ReadContext(string server, string kind)
    {
        if (_response is not { } message || message.Fields.Error.Exists || message.Fields.ResultType is not (null or "complete"))
        {
            throw new CallFailedException(
                ErrorCode.UpstreamFailed, Outcomes.ProtocolError, $"the server '{server}' answered with an error.");
        }

        using var result = Parse(message);
        return ContextText.Of(kind, result.RootElement)
            ?? throw new CallFailedException(
                ErrorCode.UpstreamFailed, Outcomes.ProtocolError, $"what the server '{server}' answered is no {kind}.");
    }

    private static JsonDocument Parse(UpstreamMessage message) =>
        JsonDocument.Parse(message.Fields.Result.Of(message.Bytes), new JsonDocumentOptions { MaxDepth = JsonDepth.Message });
}
