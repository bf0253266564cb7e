using Weir.Mcp;
using Weir.Upstream;

namespace Weir.Gateway.Watching;

/// <summary>The conversation in which a watch listens: a caller's own, which its calls use too, or one of the watch alone.</summary>
/// <param name="sessionAffinity">The caller's session; empty where the watch has a conversation of its own.</param>
internal sealed class WatchedSession(UpstreamClient upstream, UpstreamSessions sessions, string sessionAffinity, ClientCapabilities offered)
{
    public bool IsOwn => sessionAffinity.Length == 0;

    public Task<UpstreamSession> OpenAsync(UpstreamTarget target, CancellationToken ct) => IsOwn
        ? upstream.OpenAsync(target, ClientCapabilities.None, ct)
        : sessions.GetAsync(target, sessionAffinity, offered, ct, isUse: false).AsTask();

    /// <summary>
    /// Whether the callers' session is lost. That its stream is refused says nothing: many servers have none, and answer 404. A ping tells.
    /// </summary>
    public async Task<bool> IsLostAsync(UpstreamSession session, Exception e, CancellationToken ct)
    {
        if (e is not UpstreamException { Failure: UpstreamFailure.Nonsense } || session.IsModern)
        {
            return e is UpstreamException { Failure: UpstreamFailure.SessionLost };
        }

        try
        {
            await upstream.PingAsync(session, ct);
            return false;
        }
        catch (Exception ping) when (ping is UpstreamException or OperationCanceledException)
        {
            return ping is UpstreamException { Failure: UpstreamFailure.SessionLost };
        }
    }

    /// <summary>Ends the watch's own, or gives up the callers', which its server has lost.</summary>
    public Task EndAsync(UpstreamSession session)
    {
        if (IsOwn)
        {
            return upstream.CloseAsync(session, CancellationToken.None);
        }

        sessions.GiveUp(session, sessionAffinity);
        return Task.CompletedTask;
    }
}
