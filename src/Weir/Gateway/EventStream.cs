using Microsoft.AspNetCore.Http;

namespace Weir.Gateway;

/// <summary>What makes a response a stream of server-sent events.</summary>
internal static class EventStream
{
    public const string ContentType = "text/event-stream";

    /// <summary>Nothing between here and the client may keep an event back: neither a cache, nor a proxy's buffer.</summary>
    public static void Begin(HttpResponse response)
    {
        response.ContentType = ContentType;
        response.Headers.CacheControl = "no-cache, no-transform";
        response.Headers["X-Accel-Buffering"] = "no";
    }
}
