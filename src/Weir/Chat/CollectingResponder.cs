using System.Text.Json;
using Weir.Gateway;
using Weir.Upstream;

namespace Weir.Chat;

/// <summary>Keeps the response of one call; what a server says on the way is of no use to a turn.</summary>
internal sealed class CollectingResponder : ICallResponder
{
    private UpstreamMessage? _response;

    public ValueTask NotifyAsync(UpstreamMessage message, CancellationToken ct) => ValueTask.CompletedTask;

    /// <summary>A turn offers nothing to servers, so none is put through to here.</summary>
    public Task<ClientAnswer> AskAsync(string method, ReadOnlyMemory<byte> parameters, CancellationToken ct) =>
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
            return (CallOutcomes.Failed, $"The server '{server}' ended its answer without a response.");
        }

        var outline = message.Outline;
        if (outline.Error.Exists)
        {
            using var error = JsonDocument.Parse(outline.Error.Of(message.Bytes));
            var text = error.RootElement.TryGetProperty("message", out var words) && words.ValueKind == JsonValueKind.String ? words.GetString()! : "an error without words";
            return (CallOutcomes.ToolError, ToolText.Trim(text));
        }

        if (outline.ResultType is not (null or "complete"))
        {
            return (CallOutcomes.Failed, $"The server '{server}' wants to ask the person something, which chat does not offer.");
        }

        using var result = JsonDocument.Parse(outline.Result.Of(message.Bytes), new JsonDocumentOptions { MaxDepth = 128 });
        return (outline.IsToolError ? CallOutcomes.ToolError : CallOutcomes.Ok, ToolText.Of(result.RootElement));
    }
}
