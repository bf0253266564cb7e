using System.Text.Json;
using Weir.Mcp;

namespace Weir.Upstream;

/// <summary>
/// How a server says that it does not know a session any more. The protocol wants 404; servers also answer 400, 401 or 410, 403 or 503 with
/// the error -32001, or an error with the code -32000 or -32001. Any other error is one of the request, and the session stays.
/// </summary>
internal static class SessionLoss
{
    private const int ServerError = -32000;
    private const int SessionNotFound = -32001;

    /// <summary>
    /// What the status of an answer says of the session that its request carried; null: nothing. A 400 whose body answers this very request
    /// is judged by its body, like a success.
    /// </summary>
    /// <param name="request">The request's body.</param>
    public static async Task<UpstreamException?> OfAsync(
        UpstreamSession session, UpstreamRequest exchange, ReadOnlyMemory<byte> request, CancellationToken ct)
    {
        var isLost = (session.CarriesId, session.Target.IsNode, exchange.Status) switch
        {
            // A node refuses a key that it had before it registered anew. What its servers answer is never a status.
            (_, true, 401 or 403) => true,
            (true, _, 404) => true,
            (true, false, 401 or 410) => true,
            (true, false, 400) => !await AnswersAsync(exchange, request, ct),
            // These say it in the body only: a gateway before the server answers them too.
            (true, false, 403 or 503) => await SaysNotFoundAsync(exchange, ct),
            _ => false,
        };
        return isLost ? Lost(exchange.Status, isRefused: true) : null;
    }

    /// <summary>Whether this response, though it came as an answer to the request, says that its session is lost.</summary>
    public static bool IsSaidBy(UpstreamMessage message, UpstreamSession session) =>
        session.CarriesId && !session.Target.IsNode && message.Fields.Kind == MessageKind.Response
        && message.Fields.Error.Exists && message.Fields.ErrorCode is ServerError or SessionNotFound;

    /// <param name="isRefused">See <see cref="UpstreamException.IsNotCarriedOut"/>.</param>
    public static UpstreamException Lost(int status, bool isRefused) =>
        new(UpstreamFailure.SessionLost, $"The server answered {status} to a request of its session.")
        {
            Cause = status == 401 ? FailureCause.Unauthorized : FailureCause.SessionLost,
            IsNotCarriedOut = isRefused,
        };

    private static async Task<bool> SaysNotFoundAsync(UpstreamRequest exchange, CancellationToken ct)
    {
        if (!exchange.IsJson)
        {
            return false;
        }

        try
        {
            return ServerMessage.Read((await exchange.ReadBodyAsync(ct)).Span) is { Kind: MessageKind.Response,
                ErrorCode: SessionNotFound };
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return false;
        }
    }

    private static async Task<bool> AnswersAsync(UpstreamRequest exchange, ReadOnlyMemory<byte> request, CancellationToken ct)
    {
        if (!exchange.IsJson)
        {
            return false;
        }

        var body = await exchange.ReadBodyAsync(ct);
        try
        {
            var answer = ServerMessage.Read(body.Span);
            var asked = ServerMessage.Read(request.Span);
            return answer.Kind == MessageKind.Response && !answer.IsMalformedError && answer.ErrorCode != RpcCodes.InvalidRequest
                && answer.Id.Exists && asked.Id.Exists && RpcIds.AreEqual(answer.Id.Of(body.Span), asked.Id.Of(request.Span));
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return false;
        }
    }
}
