namespace Weir.Mcp;

/// <summary>A range of bytes in a message's buffer; the default is "not there".</summary>
internal readonly record struct ByteRange(int Start, int Length)
{
    public bool Exists => Length > 0;

    public ReadOnlySpan<byte> Of(ReadOnlySpan<byte> buffer) => buffer.Slice(Start, Length);

    public ReadOnlyMemory<byte> Of(ReadOnlyMemory<byte> buffer) => buffer.Slice(Start, Length);
}
