namespace Weir.Dtma.Bridge;

/// <param name="line">Without its line break. The bytes may be changed, and are gone after the call.</param>
/// <param name="isWhole">False for the beginning of a line that is longer than the limit; the rest is skipped.</param>
internal delegate void LineHandler(Span<byte> line, bool isWhole);

/// <summary>Splits a stream into lines, in one buffer that is small while lines are.</summary>
internal static class LineReader
{
    private const int SmallBuffer = 16 * 1024;

    /// <summary>Ends with the stream.</summary>
    public static async Task ReadAsync(Stream stream, int limit, LineHandler onLine)
    {
        var buffer = new byte[Math.Min(SmallBuffer, limit)];
        var (used, skipping) = (0, false);
        while (true)
        {
            int read;
            try
            {
                read = await stream.ReadAsync(buffer.AsMemory(used));
            }
            catch (IOException)
            {
                return; // The pipe broke, which says the same as its end.
            }
            catch (ObjectDisposedException)
            {
                return;
            }

            if (read == 0)
            {
                return; // What has no line break is not a message.
            }

            used = Take(buffer, used, read, ref skipping, onLine);
            if (used == buffer.Length)
            {
                if (buffer.Length < limit)
                {
                    Array.Resize(ref buffer, (int)Math.Min(buffer.Length * 2L, limit));
                }
                else
                {
                    onLine(buffer, isWhole: false);
                    (used, skipping) = (0, true);
                }
            }

            if (used == 0 && buffer.Length > SmallBuffer)
            {
                buffer = new byte[SmallBuffer];
            }
        }
    }

    /// <summary>Hands out the lines that have become whole; returns how much of the next one stands at the buffer's start.</summary>
    private static int Take(byte[] buffer, int used, int read, ref bool skipping, LineHandler onLine)
    {
        var (start, searched, end) = (0, used, used + read);
        while (buffer.AsSpan(searched, end - searched).IndexOf((byte)'\n') is >= 0 and var at)
        {
            if (!skipping)
            {
                onLine(buffer.AsSpan(start, searched + at - start), isWhole: true);
            }

            skipping = false;
            start = searched = searched + at + 1;
        }

        if (skipping)
        {
            return 0;
        }

        buffer.AsSpan(start, end - start).CopyTo(buffer);
        return end - start;
    }
}
