using System.Text;
using Weir.Mcp;

namespace Weir.Tests.Mcp;

public sealed class ClientMessageReaderTests
{
    [Fact]
    public void A_call_is_read_without_touching_its_arguments()
    {
        const string Body =
            """{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","arguments":{"a": [1, """
                + """2]},"_meta":{"progressToken":"p"}}}""";
        var message = Read(Body);
        message.Kind.ShouldBe(MessageKind.Request);
        message.Method.ShouldBe("tools/call");
        message.Name.ShouldBe("echo");
        Text(Body, message.Id).ShouldBe("7");
        Text(Body, message.Arguments).ShouldBe("""{"a": [1, 2]}""");
        Text(Body, message.ProgressToken).ShouldBe("\"p\"");
    }

    [Theory]
    [InlineData("""{"jsonrpc":"2.0","method":"notifications/initialized"}""", MessageKind.Notification)]
    [InlineData("""{"jsonrpc":"2.0","id":"a","result":{}}""", MessageKind.Response)]
    [InlineData("""{"jsonrpc":"2.0","id":"a","error":{"code":1,"message":"m"}}""", MessageKind.Response)]
    internal void Kinds_are_told_apart(string body, MessageKind kind) => Read(body).Kind.ShouldBe(kind);

    [Theory]
    [InlineData("", RpcCodes.ParseError)]
    [InlineData("{", RpcCodes.ParseError)]
    [InlineData("nonsense", RpcCodes.ParseError)]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"ping"} x""", RpcCodes.ParseError)]
    [InlineData("[]", RpcCodes.InvalidRequest)]
    [InlineData("""[{"jsonrpc":"2.0","id":1,"method":"ping"}]""", RpcCodes.InvalidRequest)]
    [InlineData("1", RpcCodes.InvalidRequest)]
    [InlineData("""{"id":1,"method":"ping"}""", RpcCodes.InvalidRequest)]
    [InlineData("""{"jsonrpc":"1.0","id":1,"method":"ping"}""", RpcCodes.InvalidRequest)]
    [InlineData("""{"jsonrpc":"2.0","id":null,"method":"ping"}""", RpcCodes.InvalidRequest)]
    [InlineData("""{"jsonrpc":"2.0","id":1.5,"method":"ping"}""", RpcCodes.InvalidRequest)]
    [InlineData("""{"jsonrpc":"2.0","id":{},"method":"ping"}""", RpcCodes.InvalidRequest)]
    [InlineData("""{"jsonrpc":"2.0","id":1}""", RpcCodes.InvalidRequest)]
    [InlineData("""{"jsonrpc":"2.0","id":1,"result":{},"error":{}}""", RpcCodes.InvalidRequest)]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"tools/call","params":[]}""", RpcCodes.InvalidRequest)]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","arguments":{"a":1e-2147483648}}}""",
        RpcCodes.InvalidRequest)]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":1}}""", RpcCodes.InvalidParams)]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","arguments":["/etc"]}}""", RpcCodes.InvalidParams)]
    public void What_is_no_message_is_refused_with_the_code_of_the_protocol(string body, int code) => Refuse(body).RpcCode.ShouldBe(code);

    [Theory]
    [InlineData("""{"path":"/data/a","path":"/etc/shadow"}""")]
    [InlineData("""{"path":"/data/a","Path":"/etc/shadow"}""")]
    [InlineData("""{"path":"/data/a","pa\u0074h":"/etc/shadow"}""")]
    [InlineData("""{"caf\u00e9":1,"cafe\u0301":2}""")]
    [InlineData("""{"\u212b":1,"\u00e5":2}""")]
    [InlineData("""{"\uff50ath":1,"path":2}""")]
    [InlineData("""{"pa\u200bth":1,"path":2}""")]
    [InlineData("""{"stra\u00dfe":1,"STRASSE":2}""")]
    [InlineData("""{"\uac00":1,"\u1100\u1161":2}""")]
    [InlineData("""{"deep":[{"x":{"k":1,"K":2}}]}""")]
    public void A05_keys_that_a_lenient_parser_could_take_for_one_are_refused(string arguments) =>
        Refuse(Call(arguments)).RpcCode.ShouldBe(RpcCodes.InvalidRequest);

    [Fact]
    public void A05_colliding_keys_are_found_in_large_objects_too()
    {
        var members = string.Join(',', Enumerable.Range(0, 500).Select(i => $"\"key{i}\":{i}"));
        Read(Call($"{{{members}}}")).Name.ShouldBe("x");
        Refuse(Call($"{{{members},\"KEY7\":0}}")).RpcCode.ShouldBe(RpcCodes.InvalidRequest);
        Refuse(Call($"{{{members},\"\\uff4bey7\":0}}")).RpcCode.ShouldBe(RpcCodes.InvalidRequest);
    }

    [Fact]
    public void A05_a_key_of_megabytes_is_refused_without_being_folded() =>
        Refuse(Call("{\"" + string.Concat(Enumerable.Repeat("a\u0301\u0301", 500_000)) + "\":1}")).RpcCode.ShouldBe(
            RpcCodes.InvalidRequest);

    [Fact]
    public void The_same_key_in_different_objects_is_no_collision() =>
    Read(Call("""{"a":{"k":1},"b":{"k":2},"c":[{"k":3},{"k":4}]}""")).Name.ShouldBe("x");

    [Theory]
    [InlineData("{\"a\":\"\\u0000\"}")]
    [InlineData("{\"a\":\"\\ud800\"}")]
    [InlineData("{\"a\":\"\\udc00\"}")]
    [InlineData("{\"a\":\"\\ud800x\"}")]
    [InlineData("{\"a\":\"\\udc00\\ud800\"}")]
    [InlineData("{\"\\u0000\":1}")]
    [InlineData("{\"a\":1e999}")]
    [InlineData("{\"a\":-1E+401}")]
    [InlineData("{\"a\":1e99999999999}")]
    public void What_jsonb_cannot_hold_is_refused(string arguments) => Refuse(Call(arguments)).RpcCode.ShouldBe(RpcCodes.InvalidRequest);

    [Theory]
    [InlineData("""{"jsonrpc":"\ud800","id":1,"method":"ping"}""")]
    [InlineData("""{"jsonrpc":"2.\u0000","id":1,"method":"ping"}""")]
    [InlineData("""{"jsonrpc":"2.0","id":"\ud800","method":"ping"}""")]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"\ud800"}""")]
    [InlineData("""{"jsonrpc":"2.0","id":1,"\ud800":"ping"}""")]
    public void Half_of_a_surrogate_pair_is_refused_wherever_it_stands(string message) =>
    Refuse(message).RpcCode.ShouldBe(RpcCodes.InvalidRequest);

    [Theory]
    [InlineData("{\"a\":\"\\ud83d\\ude00\"}")]
    [InlineData("{\"a\":\"\\\\u0000\"}")]
    [InlineData("{\"a\":1e300,\"b\":-0.0,\"c\":123456789012345678901234567890}")]
    public void What_only_looks_like_it_passes(string arguments) => Read(Call(arguments)).Name.ShouldBe("x");

    [Fact]
    public void Invalid_utf8_is_refused()
    {
        byte[] body = [.. "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"p"u8, 0xC3, 0x28, .. "\"}"u8];
        Should.Throw<ClientMessageException>(() => ClientMessageReader.Read(body)).RpcCode.ShouldBe(RpcCodes.ParseError);
    }

    [Fact]
    public void A20_nesting_beyond_the_limit_is_refused_and_the_limit_itself_passes()
    {
        // Message, params and arguments are three of the levels.
        ClientMessageReader.Read(Nested(61), maxDepth: 64).Name.ShouldBe("x");
        var refused = Should.Throw<ClientMessageException>(() => ClientMessageReader.Read(Nested(62), maxDepth: 64));
        refused.RpcCode.ShouldBe(RpcCodes.InvalidRequest);
        refused.Message.ShouldContain("64");

        static byte[] Nested(int levels) =>
            Encoding.UTF8.GetBytes(Call("{\"a\":" + new string('[', levels) + new string(']', levels) + "}"));
    }

    [Fact]
    public void The_id_is_known_where_it_came_before_the_refusal()
    {
        const string Body = """{"jsonrpc":"2.0","id":"abc","method":"tools/call","params":{"name":"x","name":"y"}}""";
        Text(Body, Refuse(Body).Id).ShouldBe("\"abc\"");
    }

    [Fact]
    public void The_modern_envelope_is_read_from_meta()
    {
        const string Body =
            """{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/"""
                + """protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"roots":{}}}}}""";
        var message = Read(Body);
        message.MetaVersion.ShouldBe("2026-07-28");
        Text(Body, message.ClientCapabilities).ShouldBe("""{"roots":{}}""");
    }

    private static string Call(string arguments) =>
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"x\",\"arguments\":" + arguments + "}}";

    private static ClientMessage Read(string body) => ClientMessageReader.Read(Encoding.UTF8.GetBytes(body));

    private static ClientMessageException Refuse(string body) => Should.Throw<ClientMessageException>(() => { Read(body); });

    private static string Text(string body, ByteRange range) => Encoding.UTF8.GetString(range.Of(Encoding.UTF8.GetBytes(body)));
}
