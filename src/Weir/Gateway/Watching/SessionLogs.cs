using Weir.Mcp;
using Weir.Upstream;

namespace Weir.Gateway.Watching;

/// <summary>
/// A legacy server has one level for its whole session, which several callers may share: it is asked for the most talkative that any
/// of them wants, and each caller gets what reaches its own level.
/// </summary>
internal static class SessionLogs
{
    public static async ValueTask SetLogLevelAsync(UpstreamClient upstream, UpstreamSession session, string? wanted, CancellationToken ct)
    {
        var level = LogLevels.Lower(session.LogLevel, wanted);
        if (session.IsModern || level == session.LogLevel || !session.Declares("logging"))
        {
            return;
        }

        session.LogLevel = level;
        var id = session.NextId();
        var body = RpcBody.Build(id, Methods.SetLevel, json => json.WriteString("level"u8, level));
        try
        {
            using var request = await upstream.PostAsync(session, Methods.SetLevel, name: null, body, ct);
            await foreach (var message in request.ReadAsync(id, ct))
            {
                if (message.Fields.Kind == MessageKind.Response)
                {
                    return;
                }
            }
        }
        catch (UpstreamException e) when (e.Failure == UpstreamFailure.Nonsense)
        {
            // A refusal, however it is said, leaves the server as talkative as it was.
        }
    }
}
