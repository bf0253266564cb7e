using System.Text;
using Weir.Gateway.Http;

namespace Weir.Tests.Gateway.Endpoint;

public sealed class EventEndTests
{
    [Theory]
    [InlineData("data: 1\n\n", true)]
    [InlineData("data: 1\r\n\r\n", true)]
    [InlineData("data: 1\r\r", true)]
    [InlineData("data: 1\n", false)]
    [InlineData("data: 1\r\n", false)]
    [InlineData("data: 1\n\ndata", false)]
    [InlineData("", false)]
    public void An_event_ends_with_an_empty_line_however_the_stream_is_split(string stream, bool isEnd)
    {
        var bytes = Encoding.UTF8.GetBytes(stream);
        for (var size = 1; size <= bytes.Length; size++)
        {
            var end = new EventEnd();
            foreach (var piece in bytes.Chunk(size))
            {
                end.Read(piece);
            }

            end.IsEnd.ShouldBe(isEnd, $"in pieces of {size}");
        }
    }
}
