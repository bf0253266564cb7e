using System.Text;
using Weir.Mcp;
using Weir.Upstream;

namespace Weir.Definitions;

/// <summary>What a server that asks while it is only looked at is told: nobody is there. It may wait for that before it lists.</summary>
internal static class LookAnswers
{
    public static async Task AnswerAsync(UpstreamClient client, UpstreamSession session, UpstreamMessage request, CancellationToken ct)
    {
        var answer = request.Fields.Method switch
        {
            Methods.Ping => "\"result\":{}",
            Methods.ListRoots => "\"result\":{\"roots\":[]}",
            Methods.Elicit => "\"result\":{\"action\":\"cancel\"}",
            _ => $"\"error\":{{\"code\":{RpcCodes.MethodNotFound},\"message\":\"Method not found\"}}",
        };
        var id = Encoding.UTF8.GetString(request.Fields.Id.Of(request.Bytes.Span));
        try
        {
            await client.NotifyAsync(
                session, request.Fields.Method, Encoding.UTF8.GetBytes($"{{\"jsonrpc\":\"2.0\",\"id\":{id},{answer}}}"), ct);
        }
        catch (UpstreamException)
        {
            // It does not listen, so it does not wait for the answer either; its list will tell.
        }
    }
}
