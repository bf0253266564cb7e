using System.Text.Json.Serialization.Metadata;
using Weir.Errors;
using Weir.Input;
using Weir.Limits;
using Weir.Nodes;
using Weir.Server.Http;

namespace Weir.Server.Nodes;

/// <summary>What nodes tell Weir.</summary>
internal static class NodeEndpoints
{
    /// <summary>Each server of a heartbeat is an object of five members, each a name and a value.</summary>
    private static readonly JsonBounds Heartbeat = new(Depth: 8, Values: 64 + (HeartbeatRequest.MostServers * 12));

    public static void MapNodes(this IEndpointRouteBuilder routes)
    {
        var nodes = routes.MapGroup("/nodes/v1");
        nodes.MapPost("register", RegisterAsync);
        nodes.MapPost("heartbeat", HeartbeatAsync);
    }

    /// <summary>The token is the bearer, or, of a node that sends none, in the body.</summary>
    private static async Task<IResult> RegisterAsync(HttpContext http, NodeRegistry registry, UnknownBodies bodies)
    {
        var token = Bearer.Of(http.Request);
        if (token is not null)
        {
            NodeRegistry.RequireTokenForm(token);
        }

        var request = Read(
            await bodies.ReadAsync(http, BodyLimits.Register), BodyLimits.Register, JsonBounds.Small, NodeJson.Default.RegisterRequest);
        return Results.Json(
            await registry.RegisterAsync(token is null ? request : request with { Token = token }, ClientAddress.Of(http),
                http.RequestAborted), NodeJson.Default.RegisterResponse);
    }

    private static async Task<IResult> HeartbeatAsync(HttpContext http, NodeRegistry registry, CallerBytes held)
    {
        var key = Bearer.Of(http.Request);
        var node = await registry.AuthenticateAsync(key, ClientAddress.Of(http), http.RequestAborted);
        var body = await held.ReadBodyAsync(http.Request, BodyLimits.Heartbeat, $"node {node}", http.RequestAborted);
        var request = Read(body, BodyLimits.Heartbeat, Heartbeat, NodeJson.Default.HeartbeatRequest);
        return Results.Json(await registry.HeartbeatAsync(key, request, http.RequestAborted), NodeJson.Default.HeartbeatResponse);
    }

    private static T Read<T>(ReadOnlyMemory<byte>? body, int maxBytes, JsonBounds bounds, JsonTypeInfo<T> type)
        where T : class
    {
        var bytes = body ?? throw new WeirException(ErrorCode.TooLarge, $"The body is larger than {maxBytes} bytes.");
        return JsonInput.TryRead(bytes, bounds, type, out var value, out var problem)
            ? value
            : throw new WeirException(ErrorCode.InvalidArgument, "The body " + problem);
    }
}
