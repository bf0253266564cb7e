using System.Buffers;
using Microsoft.AspNetCore.Http;

namespace Weir.Gateway.Forwarding;

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

    /// <summary>One message as one event. It holds no line break, unless its sender wrote it over several lines; an event must not.</summary>
    public static void WriteMessage(IBufferWriter<byte> output, Action<IBufferWriter<byte>> write)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        write(buffer);
        output.Write("event: message\ndata: "u8);
        foreach (var part in buffer.WrittenSpan.SplitAny((byte)'\r', (byte)'\n'))
        {
            output.Write(buffer.WrittenSpan[part]);
        }

        output.Write("\n\n"u8);
    }
}
