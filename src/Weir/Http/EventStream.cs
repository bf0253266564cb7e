using System.Buffers;
using Microsoft.AspNetCore.Http;

namespace Weir.Http;

/// <summary>What makes a response a stream of server-sent events.</summary>
internal static class EventStream
{
    public const string ContentType = "text/event-stream";

    /// <summary>
    /// How often an open stream says that it is alive, and after how long a waiting call begins one: proxies end what is silent for 60
    /// seconds.
    /// </summary>
    public static readonly TimeSpan KeepAlive = TimeSpan.FromSeconds(15);

    /// <summary>What it says: no event, so that no client takes it for a message.</summary>
    public static ReadOnlySpan<byte> Comment => ": keep-alive\n\n"u8;

    /// <summary>
    /// The last word of a stream that ends because its replica stops: the client is to listen again, in a second, and finds another
    /// replica.
    /// </summary>
    public static ReadOnlySpan<byte> ComeAgain => "retry: 1000\n\n"u8;

    /// <summary>Nothing between here and the client may keep an event back: neither a cache, nor a proxy's buffer.</summary>
    public static void Begin(HttpResponse response)
    {
        response.ContentType = ContentType;
        response.Headers.CacheControl = "no-cache, no-transform";
        response.Headers["X-Accel-Buffering"] = "no";
    }

    /// <summary>
    /// One message as one event. It holds no line break, unless its sender wrote it over several lines; an event must not.
    /// </summary>
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
