using System.Text;
using Weir.Upstream;

namespace Weir.Tests.Upstream;

/// <summary>The rules of the WHATWG for server-sent events, one input each.</summary>
public sealed class SseReaderTests
{
    [Theory]
    [InlineData("data: a\n\n", "message=a")]
    [InlineData("data:a\n\n", "message=a")]
    [InlineData("data:  a\n\n", "message= a")]
    [InlineData("data: a\r\n\r\ndata: b\r\rdata: c\n\n", "message=a|message=b|message=c")]
    [InlineData("data: a\r\n\ndata: b\n\r\n", "message=a|message=b")]
    [InlineData("data: a\ndata: b\n\n", "message=a\nb")]
    [InlineData("data\ndata\n\n", "message=\n")]
    [InlineData("data:\n\n", "message=")]
    [InlineData("\uFEFFdata: a\n\n", "message=a")]
    [InlineData("\n\uFEFFdata: a\n\ndata: b\n\n", "message=b")]
    [InlineData("event: ping\ndata: a\n\ndata: b\n\n", "ping=a|message=b")]
    [InlineData("event: ping\n\ndata: a\n\n", "message=a")]
    [InlineData("event: ping\nevent: message\ndata: a\n\n", "message=a")]
    [InlineData("event: ping\nevent\ndata: a\n\n", "message=a")]
    [InlineData("event:  message\ndata: a\n\n", " message=a")]
    [InlineData("Event: ping\nDATA: x\ndata: a\n\n", "message=a")]
    [InlineData(": comment\n\n:\n:data: x\ndata: a\n: within\ndata: b\n\n", "message=a\nb")]
    [InlineData("id: 1\n\nretry: 5\n\nunknown: x\nx\n\ndata: a\n\n", "message=a")]
    [InlineData("data: a\n\ndata: broken off", "message=a")]
    [InlineData("data: a\n\ndata: broken off\n", "message=a")]
    [InlineData("", "")]
    public async Task R03_events_are_read_by_the_rules_of_the_WHATWG(string stream, string expected)
    {
        // However the bytes come: all at once, or one by one.
        (await ReadAsync(stream, int.MaxValue)).ShouldBe(expected);
        (await ReadAsync(stream, 1)).ShouldBe(expected);
    }

    [Theory]
    [InlineData("id: 7\ndata: a\n\n", "7")]
    [InlineData("data: a\n\nid: 8\n\n", "8")]
    [InlineData("id: 7\ndata: a\n\nid: 8\ndata: broken off", "7")]
    [InlineData("id: 7\ndata: a\n\nid\ndata: b\n\n", null)]
    [InlineData("id: 7\ndata: a\n\nid: a\0b\ndata: b\n\n", "7")]
    [InlineData("data: a\n\n", null)]
    public async Task R03_the_last_id_is_that_of_the_last_event_that_ended(string stream, string? id)
    {
        await using var reader = Reader(stream, 1);
        await DrainAsync(reader);
        reader.LastEventId.ShouldBe(id);
    }

    [Theory]
    [InlineData("retry: 250\n\n", 250)]
    [InlineData("retry: 250\nretry: 1e3\nretry: -1\nretry: 99999999999999999999\n\n", 250)]
    [InlineData("retry: \n\n", null)]
    public async Task R03_retry_is_a_whole_number(string stream, int? milliseconds)
    {
        await using var reader = Reader(stream, 1);
        await DrainAsync(reader);
        reader.Retry.ShouldBe(milliseconds is { } ms ? TimeSpan.FromMilliseconds(ms) : null);
    }

    [Theory]
    [InlineData("event: ping\ndata: x\n\n")]
    [InlineData(": comment\n\n")]
    [InlineData("\n")]
    [InlineData("unknown")]
    public async Task R03_what_is_skipped_counts_toward_the_size_of_an_answer(string skipped)
    {
        await using var reader = new SseReader(Stream(string.Concat(Enumerable.Repeat(skipped, 2000)), int.MaxValue), maxBytes: 1000);
        var e = await Should.ThrowAsync<UpstreamException>(() => DrainAsync(reader));
        e.Failure.ShouldBe(UpstreamFailure.TooLarge);
    }

    [Fact]
    public async Task R03_a_stream_without_end_is_bounded_event_by_event()
    {
        var many = string.Concat(Enumerable.Repeat("event: ping\ndata: 12345\n\n: comment\n\n", 1000));
        await using var reader =
            new SseReader(Stream(many + "data: " + new string('x', 1000) + "\n\n", 100), maxBytes: 500) { IsEndless = true };
        for (var i = 0; i < 1000; i++)
        {
            (await reader.ReadAsync(CancellationToken.None))!.Value.Type.ShouldBe("ping");
        }

        (await Should.ThrowAsync<UpstreamException>(() => DrainAsync(reader))).Failure.ShouldBe(UpstreamFailure.TooLarge);
    }

    private static async Task<string> ReadAsync(string stream, int chunk)
    {
        await using var reader = Reader(stream, chunk);
        List<string> events = [];
        while (await reader.ReadAsync(CancellationToken.None) is { } e)
        {
            events.Add($"{e.Type}={Encoding.UTF8.GetString(e.Data)}");
        }

        return string.Join('|', events);
    }

    private static async Task DrainAsync(SseReader reader)
    {
        while (await reader.ReadAsync(CancellationToken.None) is not null)
        {
            // Only its end is of interest.
        }
    }

    private static SseReader Reader(string stream, int chunk) => new(Stream(stream, chunk), maxBytes: 100_000);

    private static ChunkedStream Stream(string text, int chunk) => new(Encoding.UTF8.GetBytes(text), chunk);

    /// <summary>Gives at most so many bytes at a time.</summary>
    private sealed class ChunkedStream(byte[] bytes, int chunk) : MemoryStream(bytes)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..Math.Min(buffer.Length, chunk)], cancellationToken);
    }
}
