namespace Weir.Gateway.Http;

/// <summary>Whether an event stream that is read in pieces is at the end of an event: an empty line, which two pieces may share.</summary>
internal sealed class EventEnd
{
    private const uint TwoLineFeeds = 0x0A0A;
    private const uint TwoCarriageReturns = 0x0D0D;
    private const uint TwoOfBoth = 0x0D0A0D0A;

    /// <summary>The last four bytes.</summary>
    private uint _last;

    public bool IsEnd => (_last & 0xFFFF) is TwoLineFeeds or TwoCarriageReturns || _last == TwoOfBoth;

    public void Read(ReadOnlySpan<byte> piece)
    {
        foreach (var value in piece[Math.Max(0, piece.Length - sizeof(uint))..])
        {
            _last = (_last << 8) | value;
        }
    }
}
