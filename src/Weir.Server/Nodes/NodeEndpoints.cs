using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Weir.Errors;
using Weir.Nodes;
using Weir.Server.Http;

namespace Weir.Server.Nodes;

/// <summary>What nodes tell Weir.</summary>
internal static class NodeEndpoints
{
    public static void MapNodes(this IEndpointRouteBuilder routes)
    {
        var nodes = routes.MapGroup("/nodes/v1");
        nodes.MapPost("register", static async (HttpContext http, NodeRegistry registry) => Results.Json(
            await registry.RegisterAsync(await ReadAsync(http, NodeJson.Default.RegisterRequest), http.RequestAborted), NodeJson.Default.RegisterResponse));
        nodes.MapPost("heartbeat", static async (HttpContext http, NodeRegistry registry) => Results.Json(
            await registry.HeartbeatAsync(Bearer.Of(http.Request), await ReadAsync(http, NodeJson.Default.HeartbeatRequest), http.RequestAborted),
            NodeJson.Default.HeartbeatResponse));
    }

    private static async Task<T> ReadAsync<T>(HttpContext http, JsonTypeInfo<T> type)
    {
        try
        {
            return await JsonSerializer.DeserializeAsync(http.Request.Body, type, http.RequestAborted)
                ?? throw new WeirException(ErrorCode.InvalidArgument, "The body is empty.");
        }
        catch (JsonException e)
        {
            throw new WeirException(ErrorCode.InvalidArgument, "The body is not what a node says here.", inner: e);
        }
    }
}
