using System.Text;
using System.Text.Json;
using Weir.Chat;
using Weir.Errors;

namespace Weir.Tests.Chat;

public sealed class ChatRequestTests
{
    private const string Agent = "\"agentId\":\"01a2049a-ad74-7fda-b42b-b7ff56329ad8\"";

    [Fact]
    public void A_good_request_is_read()
    {
        var request = Parse(
            $$"""{ {{Agent}}, "message": "hi", "channelId": "01a2049a-ad74-7fda-b42b-b7ff56329ad9", "clientMessageId": "m1","""
                + $$""" "more": 1 }""");
        request.AgentId.ShouldNotBeNull();
        request.ChannelId.ShouldNotBeNull();
        request.WorkspaceId.ShouldBeNull();
        request.Message.ShouldBe("hi");
        request.ClientMessageId.ShouldBe("m1");
        Parse("""{"agentId":null,"message":"hi"}""").AgentId.ShouldBeNull();
    }

    [Theory]
    [InlineData("", "JSON")]
    [InlineData("nonsense", "JSON")]
    [InlineData("[]", "object")]
    [InlineData("null", "object")]
    [InlineData("""{"message":"hi"}""", "agentId")]
    [InlineData("""{"agentId":7,"message":"hi"}""", "agentId")]
    [InlineData("""{"agentId":"x","message":"hi"}""", "agentId")]
    [InlineData("""{"agentId":null}""", "message")]
    [InlineData("""{"agentId":null,"message":null}""", "message")]
    [InlineData("""{"agentId":null,"message":["hi"]}""", "message")]
    [InlineData("""{"agentId":null,"message":""}""", "message")]
    [InlineData("""{"agentId":null,"message":" \n\t "}""", "message")]
    [InlineData("""{"agentId":null,"message":"a\u0000b"}""", "message")]
    [InlineData("""{"agentId":null,"message":"\ud800"}""", "message")]
    [InlineData("""{"agentId":null,"message":"a","message":"b"}""", "twice")]
    [InlineData("""{"agentId":null,"message":"a","channelId":"7"}""", "channelId")]
    [InlineData("""{"agentId":null,"message":"a","workspaceId":{}}""", "workspaceId")]
    [InlineData("""{"agentId":null,"message":"a","clientMessageId":""}""", "clientMessageId")]
    [InlineData("""{"agentId":null,"message":"a","clientMessageId":5}""", "clientMessageId")]
    public void A_bad_request_is_refused_and_says_what_is_wrong(string body, string named)
    {
        var e = Should.Throw<WeirException>(() => Parse(body));
        e.Code.ShouldBe(ErrorCode.InvalidArgument);
        e.Message.ShouldContain(named);
    }

    [Fact]
    public void A_message_may_have_32_KiB_and_not_a_byte_more()
    {
        Parse(
            JsonSerializer.Serialize(
                new { agentId = (string?)null, message = new string('x', ChatRequest.MaxMessageBytes) })).Message.Length.ShouldBe(32768);
        Should.Throw<WeirException>(
            () =>
                Parse(
                    JsonSerializer.Serialize(new { agentId = (string?)null, message = new string('x', ChatRequest.MaxMessageBytes + 1) })));
        Should.Throw<WeirException>(
            () => Parse(JsonSerializer.Serialize(new { agentId = (string?)null, message = new string('ü', 16385) })));
    }

    private static ChatRequest Parse(string body) => ChatRequest.Parse(Encoding.UTF8.GetBytes(body));
}
