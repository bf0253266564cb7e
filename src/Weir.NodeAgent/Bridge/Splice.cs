using System.Buffers.Text;

namespace Weir.NodeAgent.Bridge;

/// <summary>Puts other bytes in the place of some, and leaves the rest of a message as it is.</summary>
internal static class Splice
{
    public static byte[] Replace(ReadOnlySpan<byte> message, Range range, ReadOnlySpan<byte> with)
    {
        var (start, length) = range.GetOffsetAndLength(message.Length);
        var output = new byte[message.Length - length + with.Length];
        message[..start].CopyTo(output);
        with.CopyTo(output.AsSpan(start));
        message[(start + length)..].CopyTo(output.AsSpan(start + with.Length));
        return output;
    }

    /// <summary>Both ranges become the same bytes.</summary>
    public static byte[] Replace(ReadOnlySpan<byte> message, Range one, Range other, ReadOnlySpan<byte> with)
    {
        var (first, second) = one.Start.Value < other.Start.Value ? (one, other) : (other, one);
        // The later one first, so that the earlier one's place still holds.
        return Replace(Replace(message, second, with), first, with);
    }

    /// <summary>A line break between tokens would end the message on a stdio channel, and a data field on an event stream.</summary>
    public static void FlattenLineBreaks(Span<byte> message)
    {
        message.Replace((byte)'\n', (byte)' ');
        message.Replace((byte)'\r', (byte)' ');
    }

    public static byte[] Number(long value)
    {
        Span<byte> buffer = stackalloc byte[20];
        Utf8Formatter.TryFormat(value, buffer, out var written);
        return buffer[..written].ToArray();
    }
}
