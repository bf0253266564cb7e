namespace Weir.NodeAgent.Bridge;

internal enum LinePart
{
    Whole,

    /// <summary>The beginning of a line that is longer than the limit, or for which the budget has no room; the rest is skipped.</summary>
    Head,

    /// <summary>The last bytes of a line whose rest was skipped.</summary>
    Tail,
}

/// <param name="line">Without its line break. The bytes may be changed, and are gone after the call.</param>
internal delegate void LineHandler(Span<byte> line, LinePart part);

/// <summary>Splits a stream into lines, in one buffer that is small while lines are.</summary>
internal static class LineReader
{
    private const int SmallBuffer = 16 * 1024;

    /// <summary>Ends with the stream.</summary>
    /// <param name="budget">Counts what of the buffer is more than a small one.</param>
    public static async Task ReadAsync(Stream stream, int limit, LineHandler onLine, ByteBudget? budget = null)
    {
        var held = new BufferBytes(budget);
        try
        {
            await ReadAsync(stream, limit, onLine, held);
        }
        finally
        {
            held.Return();
        }
    }

    private static async Task ReadAsync(Stream stream, int limit, LineHandler onLine, BufferBytes held)
    {
        var buffer = new byte[Math.Min(SmallBuffer, limit)];
        var used = 0;
        var skipped = new SkippedLine();
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

            used = Take(buffer, used, read, skipped, onLine);
            if (used == buffer.Length)
            {
                var larger = (int)Math.Min(buffer.Length * 2L, limit);
                if (larger > buffer.Length && held.TryTake(larger - buffer.Length))
                {
                    Array.Resize(ref buffer, larger);
                }
                else
                {
                    onLine(buffer, LinePart.Head);
                    used = 0;
                    skipped.Begin(buffer);
                }
            }

            if (used == 0 && buffer.Length > SmallBuffer)
            {
                buffer = new byte[SmallBuffer];
                held.Return();
            }
        }
    }

    /// <summary>The last bytes of a line that is being skipped.</summary>
    private sealed class SkippedLine
    {
        private const int TailSize = 256;

        private readonly byte[] _tail = new byte[TailSize];
        private int _length;

        public bool IsActive { get; private set; }

        public void Begin(ReadOnlySpan<byte> head)
        {
            (IsActive, _length) = (true, 0);
            Add(head);
        }

        public void Add(ReadOnlySpan<byte> part)
        {
            part = part[Math.Max(0, part.Length - TailSize)..];
            var kept = Math.Min(_length, TailSize - part.Length);
            _tail.AsSpan(_length - kept, kept).CopyTo(_tail);
            part.CopyTo(_tail.AsSpan(kept));
            _length = kept + part.Length;
        }

        public Span<byte> End()
        {
            IsActive = false;
            return _tail.AsSpan(0, _length);
        }
    }

    private sealed class BufferBytes(ByteBudget? budget)
    {
        private long _held;

        public bool TryTake(long bytes)
        {
            if (budget?.TryTake(bytes) == false)
            {
                return false;
            }

            _held += bytes;
            return true;
        }

        public void Return()
        {
            budget?.Return(_held);
            _held = 0;
        }
    }

    /// <summary>Hands out the lines that have become whole; returns how much of the next one stands at the buffer's start.</summary>
    private static int Take(byte[] buffer, int used, int read, SkippedLine skipped, LineHandler onLine)
    {
        var (start, searched, end) = (0, used, used + read);
        while (buffer.AsSpan(searched, end - searched).IndexOf((byte)'\n') is >= 0 and var at)
        {
            var line = buffer.AsSpan(start, searched + at - start);
            if (skipped.IsActive)
            {
                skipped.Add(line);
                onLine(skipped.End(), LinePart.Tail);
            }
            else
            {
                onLine(line, LinePart.Whole);
            }

            start = searched = searched + at + 1;
        }

        if (skipped.IsActive)
        {
            skipped.Add(buffer.AsSpan(start, end - start));
            return 0;
        }

        buffer.AsSpan(start, end - start).CopyTo(buffer);
        return end - start;
    }
}
