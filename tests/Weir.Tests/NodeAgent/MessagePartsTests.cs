extern alias NodeAgent;

using System.Text;
using NodeAgent::Weir.NodeAgent.Bridge;

namespace Weir.Tests.NodeAgent;

public sealed class MessagePartsTests
{
    [Fact]
    public void A_request_shows_its_method_id_and_token()
    {
        var json =
            """{ "params" : {"name":"x","_meta":{"other":[1,"""u8
                + """{"progressToken":9}],"progressToken":"t"},"uri":"a:b"}, "method":"tools\/call", "id" : "7" ,"jsonrpc":"2.0"}"""u8;
        MessageParts.TryParse(json, out var parts, out _).ShouldBeTrue();
        parts.Kind.ShouldBe(MessageKind.Request);
        parts.Method.ShouldBe("tools/call");
        Encoding.UTF8.GetString(json[parts.Id]).ShouldBe("\"7\"");
        Encoding.UTF8.GetString(json[parts.ProgressToken]).ShouldBe("\"t\"");
        Encoding.UTF8.GetString(json[parts.Uri]).ShouldBe("\"a:b\"");
        Encoding.UTF8.GetString(Splice.Replace(json, parts.Id, parts.ProgressToken, "12"u8)).ShouldBe(
            """{ "params" : {"name":"x","_meta":{"other":[1,"""
                + """{"progressToken":9}],"progressToken":12},"uri":"a:b"}, "method":"tools\/call", "id" : 12 ,"jsonrpc":"2.0"}""");
    }

    [Fact]
    public void Escaped_names_are_the_same_names()
    {
        MessageParts.TryParse("""{"jsonrpc":"2.0","i\u0064":1,"method":"ping"}"""u8, out var parts, out _).ShouldBeTrue();
        parts.Kind.ShouldBe(MessageKind.Request);
        MessageParts.TryParse("""{"jsonrpc":"2.0","i\u0064":1,"id":2,"method":"ping"}"""u8, out _, out _).ShouldBeFalse();
    }

    [Theory]
    [InlineData("""{"jsonrpc":"2.0","id":1,"result":{"id":2,"method":"x"}}""", (int)MessageKind.Response, false)]
    [InlineData("""{"jsonrpc":"2.0","id":1,"error":{"code":1}}""", (int)MessageKind.Response, true)]
    [InlineData("""{"jsonrpc":"2.0","method":"notifications/x"}""", (int)MessageKind.Notification, false)]
    [InlineData("""{"jsonrpc":"2.0","id":1,"result":{},"error":null}""", (int)MessageKind.Response, false)]
    [InlineData("""{"jsonrpc":"2.0","id":1,"result":null,"error":{"code":1}}""", (int)MessageKind.Response, true)]
    [InlineData("""{"jsonrpc":"2.0","id":null,"error":{"code":1}}""", (int)MessageKind.Response, true)]
    public void Kinds_are_told_apart(string json, int kind, bool isError)
    {
        MessageParts.TryParse(Encoding.UTF8.GetBytes(json), out var parts, out _).ShouldBeTrue();
        ((int)parts.Kind).ShouldBe(kind);
        parts.IsError.ShouldBe(isError);
    }

    [Theory]
    [InlineData("")]
    [InlineData("1")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"jsonrpc":"1.0","id":1,"method":"x"}""")]
    [InlineData("""{"jsonrpc":"2.0","id":null,"method":"x"}""")]
    [InlineData("""{"jsonrpc":"2.0","id":true,"method":"x"}""")]
    [InlineData("""{"jsonrpc":"2.0","id":null,"result":{}}""")]
    [InlineData("""{"jsonrpc":"2.0","id":null,"id":1,"result":{}}""")]
    [InlineData("""{"jsonrpc":"2.0","id":1,"id":null,"error":{}}""")]
    [InlineData("""{"jsonrpc":"2.0","id":1,"result":null,"error":null}""")]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":5}""")]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"x","result":{}}""")]
    [InlineData("""{"jsonrpc":"2.0","id":1,"result":{},"error":{}}""")]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"x","params":{"_meta":{"progressToken":1,"progressToken":2}}}""")]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"x","params":{"_meta":{},"_meta":{"progressToken":2}}}""")]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"x"}{}""")]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"x","params":""")]
    public void Everything_else_is_no_message(string json) =>
    MessageParts.TryParse(Encoding.UTF8.GetBytes(json), out _, out _).ShouldBeFalse();

    [Fact]
    public async Task Lines_come_whole_however_the_stream_is_cut_and_long_ones_are_cut_off()
    {
        var text = $"one\n\n{new string('x', 40_000)}\nthree\n{new string('y', 70_000)}\nfive\nno end";
        foreach (var step in (int[])[1, 7, 16_384, 1_000_000])
        {
            var lines = new List<string>();
            await LineReader.ReadAsync(new Chopped(Encoding.UTF8.GetBytes(text), step), 65_536,
                (line, part) => lines.Add($"{part} {line.Length} {(char)(line.IsEmpty ? 0 : line[^1])}"));
            lines.ShouldBe(["Whole 3 e", "Whole 0 \0", "Whole 40000 x", "Whole 5 e", "Head 65536 y", "Tail 256 y", "Whole 4 e"]);
        }
    }

    private sealed class Chopped(byte[] content, int step) : MemoryStream(content)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..Math.Min(step, buffer.Length)], cancellationToken);
    }
}
