using System.Text.Json;
using Weir.Configuration;
using Weir.Mcp;

namespace Weir.Upstream;

/// <summary>
/// What a node says by itself in the place of its server: an error with a mark in <c>data.weir</c> (docs/nodes.md). It is Weir's own, so
/// the caller gets one of Weir's codes and not the server's error. A server could write a mark too; but only the node sets the HTTP status,
/// and only with that a request is taken for one that did not reach the server.
/// </summary>
internal static class NodeRefusals
{
    /// <summary>The node ends sessions that nobody uses; a place may become free at any time.</summary>
    private static readonly TimeSpan WhenFull = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan WhenBusy = TimeSpan.FromSeconds(1);

    /// <param name="status">The HTTP status of the answer.</param>
    /// <param name="retryAfter">What the node says of when to try again.</param>
    /// <returns>Null for an error of the server itself.</returns>
    public static UpstreamException? Of(int status, UpstreamMessage message, TimeSpan? retryAfter)
    {
        if (!message.Fields.Error.Exists || MarkOf(message) is not { } mark)
        {
            return null;
        }

        var isRefused = status >= 400;
        return mark switch
        {
            "session_limit" when isRefused => new UpstreamException(UpstreamFailure.Full, "Its node is full: no session of it is free.")
            {
                NothingSent = true,
                RetryAfter = retryAfter ?? WhenFull,
            },
            "busy" =>
                new UpstreamException(UpstreamFailure.Full, "It has more waiting for it than its node may hold.")
                {
                    NothingSent = isRefused,
                    RetryAfter = WhenBusy,
                },
            "unavailable" =>
                new UpstreamException(UpstreamFailure.Unreachable, "It does not run on its node.")
                {
                    Cause = FailureCause.ServerUnavailable,
                    NothingSent = isRefused,
                },
            "start_failed" when isRefused =>
                new UpstreamException(UpstreamFailure.Unreachable, "Its node could not start it for this session.")
            {
                Cause = FailureCause.ServerUnavailable,
                NothingSent = true,
                IsOfOneSession = true,
            },
            // Refused where a session's process ended before it was initialized.
            "upstream_closed" =>
                new UpstreamException(UpstreamFailure.Unreachable, "Its process ended before it answered.")
                {
                    NothingSent = isRefused,
                    IsOfOneSession = isRefused,
                },
            "timeout" => new UpstreamException(UpstreamFailure.Late, "It did not answer its node in time.") { NothingSent = isRefused },
            "overflow" => new UpstreamException(UpstreamFailure.OverBudget, "It sends more than its node may hold."),
            "too_large" => new UpstreamException(UpstreamFailure.TooLarge, "Its answer is larger than its node passes on."),
            _ => null,
        };
    }

    private static string? MarkOf(UpstreamMessage message)
    {
        using var error =
            JsonDocument.Parse(message.Fields.Error.Of(message.Bytes), new JsonDocumentOptions { MaxDepth = JsonDepth.Message });
        return error.RootElement.TryGetProperty("data", out var data) && data.ValueKind == JsonValueKind.Object
            && data.TryGetProperty("weir", out var mark) && mark.ValueKind == JsonValueKind.String ? mark.GetString() : null;
    }
}
