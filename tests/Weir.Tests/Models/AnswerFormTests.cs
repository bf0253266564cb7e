using System.Text.Json;
using Microsoft.Extensions.AI;
using Weir.Models;

namespace Weir.Tests.Models;

/// <summary>
/// Answers in forms that the APIs' references do not have and endpoints send all the same: the words and the calls are kept.
/// </summary>
public sealed class AnswerFormTests
{
    private const string Done = "data: [DONE]\n\n";

    public static TheoryData<string, string> Words { get; } = new()
    {
        { "an empty reason in each chunk", Chunk("""{"delta": {"content": "It "}, "finish_reason": ""}""")
            + Chunk("""{"delta": {"content": "rains."}, "finish_reason": ""}""") },
        { "a reason that is not known", Chunk("""{"delta": {"content": "It rains."}, "finish_reason": "eos"}""") },
        { "no reason, but the end", Chunk("""{"delta": {"content": "It rains."}, "finish_reason": null}""") + Done },
        { "no end", Chunk("""{"delta": {"content": "It rains."}}""") + Chunk("""{"delta": {}, "finish_reason": "stop"}""") },
        { "no empty line at the end", Chunk("""{"delta": {"content": "It rains."}, "finish_reason": "stop"}""").TrimEnd('\n') },
        { "chunks without choices", """data: {"usage": {"prompt_tokens": 1}}""" + "\n\n" + """data: {"choices": []}""" + "\n\n"
            + """data: {"choices": null}""" + "\n\n" + Chunk("""{"delta": {"content": "It rains."}, "finish_reason": "stop"}""") },
        { "a delta of null", Chunk("""{"delta": null}""") + Chunk("""{"delta": {"content": "It rains."}}""")
            + Chunk("""{"delta": null, "finish_reason": "stop"}""") },
        { "parts", Chunk(
            """{"delta": {"content": [{"type": "text", "text": "It "}, {"type": "thinking", "thinking": "?"}, """
                + """{"text": "rains."}]}, "finish_reason": "stop"}""") },
        { "a message", Chunk("""{"message": {"content": "It rains."}, "finish_reason": "stop"}""") },
        { "pings", ": hello\n\nevent: ping\ndata: ping\n\ndata: \n\n"
            + Chunk("""{"delta": {"content": "It rains."}, "finish_reason": "stop"}""") },
        { "carriage returns", Chunk("""{"delta": {"content": "It rains."}, "finish_reason": "stop"}""").Replace("\n", "\r\n") },
        { "no type of content", "\n"
            + Chunk(
                """{"delta": {"content": "It rains.", "tool_calls": null, "refusal": null}, "finish_reason": "stop", "index": "0"}""") },
    };

    public static TheoryData<string, string, string> Calls { get; } = new()
    {
        { "an object", Tool("""[{"index": 0, "id": "a", "function": {"name": "get", "arguments": {"city": "Linz"}}}]"""), """get {"cit"""
            + """y":"Linz"}""" },
        { "no id", Tool("""[{"index": 0, "function": {"name": "get", "arguments": "{\"city\": \"Linz\"}"}}]"""), """get {"city":"Li"""
            + """nz"}""" },
        { "nothing", Tool("""[{"index": 0, "id": "a", "function": {"name": "get", "arguments": ""}}]"""), "get {}" },
        { "blanks", Tool("""[{"index": 0, "id": "a", "function": {"name": "get", "arguments": " \n"}}]"""), "get {}" },
        { "null", Tool("""[{"index": 0, "id": "a", "function": {"name": "get", "arguments": null}}]"""), "get {}" },
        { "the word null", Tool("""[{"index": 0, "id": "a", "function": {"name": "get", "arguments": "null"}}]"""), "get {}" },
        { "no member", Tool("""[{"index": 0, "id": "a", "function": {"name": "get"}}]"""), "get {}" },
        { "no index", Tool("""[{"id": "a", "function": {"name": "get", "arguments": "{\"n\": "}}]""")
            + Tool("""[{"function": {"arguments": "1}"}}]""") + Tool("""[{"id": "b", "function": {"name": "get", "arguments": "{}"}}]"""),
            """get {"n":1}; get {}""" },
        { "no index and "
            + "no id",
            Tool("""[{"function": {"name": "get", "arguments": "{\"n\":1}"}}, {"function": {"name": "get", "arguments": "{\"n\":2}"}}]"""),
            """get {"n":1}; get {"n":2}""" },
        { "the same index", Tool("""[{"index": 0, "id": "a", "function": {"name": "get", "arguments": "{\"n\":1}"}}]""")
            + Tool("""[{"index": 0, "id": "b", "function": {"name": "put", "arguments": "{}"}}]"""), """get {"n":1}; put {}""" },
        { "a new id in each piece", Tool("""[{"index": 0, "id": "a", "function": {"name": "get", "arguments": ""}}]""")
            + Tool("""[{"index": 0, "id": "b", "function": {"arguments": "{\"n\":"}}]""")
            + Tool("""[{"index": 0, "id": "c", "function": {"arguments": "1}"}}]"""), """get {"n":1}""" },
        { "a new id in each piece and no index", Tool("""[{"id": "a", "function": {"name": "get", "arguments": "{\"n\":"}}]""")
            + Tool("""[{"id": "b", "function": {"arguments": "1}"}}]"""), """get {"n":1}""" },
        { "one id at two indexes", Tool("""[{"index": 0, "id": "a", "function": {"name": "get", "arguments": ""}}]""")
            + Tool("""[{"index": 1, "id": "a", "function": {"name": "get", "arguments": "{\"n\":1}"}}]"""), """get {"n":1}""" },
        { "the index out of order", Tool("""[{"index": 1, "id": "b", "function": {"name": "put", "arguments": ""}}]""")
            + Tool("""[{"index": 0, "id": "a", "function": {"name": "get", "arguments": "{\"n\":"}}]""")
            + Tool("""[{"index": 1, "function": {"arguments": "{\"m\":2}"}}, {"index": 0, "function": {"arguments": "1}"}}]"""),
            """put {"m":2}; get {"n":1}""" },
        { "the name in each", Tool("""[{"index": 0, "id": "a", "function": {"name": "get", "arguments": "{\"n\":"}}]""")
            + Tool("""[{"index": 0, "id": "a", "function": {"name": "get", "arguments": "1}"}}]""")
            + Tool("""[{"index": 0, "id": "a", "function": {"name": "get", "arguments": ""}}]"""), """get {"n":1}""" },
        { "as before there were several", Chunk("""{"delta": {"function_call": {"name": "get", "arguments": "{\"n\":"}}}""")
            + Chunk("""{"delta": {"function_call": {"arguments": "1}"}}, "finish_reason": "function_call"}"""), """get {"n":1}""" },
    };

    public static TheoryData<string, string, string> Blocks { get; } = new()
    {
        { "the input in the start", Start(0, """{"type": "tool_use", "id": "a", "name": "get", "input": {"n": 1}}""")
            + Stop("tool_use"), """get {"n":1}""" },
        { "the input in the start and in pieces", Start(0, """{"type": "tool_use", "id": "a", "name": "get", "input": {"n": 1}}""")
            + Delta(0, """{"type": "input_json_delta", "partial_json": "{\"n\": 1}"}""") + Stop("tool_use"), """get {"n":1}""" },
        { "no input", Start(0, """{"type": "tool_use", "id": "a", "name": "get"}""")
            + Delta(0, """{"type": "input_json_delta", "partial_json": ""}""") + Stop("tool_use"), "get {}" },
        { "no id", Start(0, """{"type": "tool_use", "name": "get", "input": {}}""") + Stop("tool_use"), "get {}" },
        { "other blocks", Start(0, """{"type": "thinking", "thinking": "?"}""")
            + Delta(0, """{"type": "thinking_delta", "thinking": "?"}""")
            + Start(1, """{"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}""")
            + Delta(1, """{"type": "input_json_delta", "partial_json": "{\"q\":1}"}""") + Start(2, """{"type": "text", "text": "It "}""")
            + Delta(2, """{"type": "text_delta", "text": "rains."}""") + Stop("pause_turn"), "It rains." },
        { "a reason that is not known", Start(0, """{"type": "text", "text": ""}""")
            + Delta(0, """{"type": "text_delta", "text": "It rains."}""") + Stop("mood"), "It rains." },
        { "no reason", Start(0, """{"type": "text", "text": "It rains."}""") + """event: message_stop""" + "\n"
            + """data: {"type": "message_stop"}""" + "\n\n", "It rains." },
        { "no stop", Start(0, """{"type": "text", "text": "It rains."}""")
            + Stop("end_turn").Split("event: message_stop")[0], "It rains." },
        { "no index", """data: {"type": "content_block_start", "content_block": {"type": "text", "text": ""}}""" + "\n\n"
            + """data: {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "It rains."}}""" + "\n\n" + Stop("end_turn"),
            "It rains." },
    };

    [Theory]
    [MemberData(nameof(Words))]
    public async Task R10_the_words_of_a_stream_are_kept(string form, string stream)
    {
        var (response, failure) = await AskAsync("openai", stream, streamed: true);

        response.Text.ShouldBe("It rains.", form);
        failure.ShouldBeNull(form);
    }

    [Theory]
    [MemberData(nameof(Calls))]
    public async Task R10_the_calls_of_a_stream_are_kept(string form, string stream, string expected)
    {
        var (response, failure) = await AskAsync("openai", stream + Done, streamed: true);

        Read(response).ShouldBe(expected, form);
        failure.ShouldBeNull(form);
    }

    [Theory]
    [MemberData(nameof(Blocks))]
    public async Task R10_the_blocks_of_a_stream_are_kept(string form, string stream, string expected)
    {
        var (response, failure) =
            await AskAsync(
                "anthropic",
                """event: message_start""" + "\n" + """data: {"type": "message_start", "message": {"usage": {"input_tokens": 3}}}"""
                    + "\n\n" + stream, streamed: true);

        Read(response).ShouldBe(expected, form);
        failure.ShouldBeNull(form);
    }

    [Theory]
    [InlineData("openai", """{"choices": [{"message": {"content": "It rains."}, "finish_reason": ""}]}""", "It rains.")]
    [InlineData("openai", """{"choices": [{"message": {"content": [{"type": "text", "text": "It rains."}]}}]}""", "It rains.")]
    [InlineData(
        "openai",
        """{"choices": [{"message": {"content": null, "tool_calls": [{"function": {"name": "get", "arguments": {"n": """
            + """1}}}]}, "finish_reason": "weird"}]}""", """get {"n":1}""")]
    [InlineData(
        "openai",
        """{"choices": [{"message": {"tool_calls": [{"id": "a", "function": {"name": "get", "arguments": ""}}, {"id": "b", "function": """
            + """{"name": "put"}}]}, "finish_reason": "tool_calls"}]}""", "get {}; put {}")]
    [InlineData(
        "openai",
        """{"choices": [{"message": {"tool_calls": [{"function": {"name": "get", "arguments": ""}}, {"function": {"name": "get"}}, """
            + """{"function": {"name": "put"}}]}}]}""", "get {}; get {}; put {}")]
    [InlineData("anthropic", """{"content": [{"type": "text", "text": "It rains."}], "stop_reason": "mood"}""", "It rains.")]
    [InlineData(
        "anthropic",
        """{"content": [{"type": "thinking"}, {"type": "tool_use", "name": "get", "input": null}, """
            + """{"type": "tool_use", "id": "b", "name": "put", "input": "{\"n\": 1}"}]}""", """get {}; put {"n":1}""")]
    [InlineData("anthropic", """{"content": "It rains."}""", "It rains.")]
    public async Task R10_a_whole_answer_is_kept(string kind, string body, string expected)
    {
        var (response, failure) = await AskAsync(kind, body, streamed: false);

        Read(response).ShouldBe(expected);
        failure.ShouldBeNull();
    }

    [Theory]
    [InlineData("openai", """data: {"choices": [{"delta": {"content": "It rains."}}]}""" + "\n\n"
        + """data: {"error": {"message": "overloaded"}}""" + "\n\n")]
    [InlineData("openai", """data: {"choices": [{"delta": {"content": "It rains."}}]}""" + "\n\n" + """data: {"choices": [{"del""")]
    [InlineData("anthropic", """data: {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "It rains."}}"""
        + "\n\n" + "event: error\n" + """data: {"type": "error", "error": {"type": "overloaded_error"}}""" + "\n\n")]
    public async Task R10_of_a_stream_that_ends_with_an_error_the_words_are_kept_and_the_failure_is_said(string kind, string stream)
    {
        var (response, failure) = await AskAsync(kind, stream, streamed: true);

        response.Text.ShouldBe("It rains.");
        failure!.Reason.ShouldBe("unavailable");
    }

    [Fact]
    public async Task R10_a_character_that_comes_in_two_halves_is_whole()
    {
        var (response, _) =
            await AskAsync(
                "openai",
                Chunk("""{"delta": {"content": "rain \ud83c"}}""") + Chunk("""{"delta": {"content": "\udf27"}, "finish_reason": "stop"}"""),
                streamed: true);

        response.Text.ShouldBe("rain \U0001F327");
    }

    [Theory]
    [InlineData("openai", "\"arguments\": \"\"", "get {}")]
    [InlineData("openai", "\"arguments\": \" \\n\"", "get {}")]
    [InlineData("openai", "\"arguments\": null", "get {}")]
    [InlineData("openai", "\"arguments\": \"null\"", "get {}")]
    [InlineData("openai", "\"more\": 1", "get {}")]
    [InlineData("openai", "\"arguments\": {\"n\": 1}", "get {\"n\":1}")]
    [InlineData("anthropic", "\"input\": null", "get {}")]
    [InlineData("anthropic", "\"input\": \"\"", "get {}")]
    [InlineData("anthropic", "\"input\": {\"n\": 1}", "get {\"n\":1}")]
    [InlineData("anthropic", "\"more\": 1", "get {}")]
    public async Task R06_arguments_are_read_in_whatever_form_they_come(string kind, string member, string expected)
    {
        var call = $$"""{"type": "tool_use", "id": "a", "name": "get", {{member}}}""";
        var whole = kind == "openai"
            ? $$$"""{"choices": [{"message": {"tool_calls": [{"id": "a", "function": {{{call}}}}]}, "finish_reason": "tool_calls"}]}"""
            : $$"""{"content": [{{call}}], "stop_reason": "tool_use"}""";
        var stream = kind == "openai"
            ? Tool($$"""[{"index": 0, "id": "a", "function": {{call}} }]""") + Done : Start(0, call) + Stop("tool_use");

        foreach (var streamed in new[] { false, true })
        {
            var (response, failure) = await AskAsync(kind, streamed ? stream : whole, streamed);

            Read(response).ShouldBe(expected);
            failure.ShouldBeNull();
        }
    }

    [Theory]
    [InlineData("""{\"city\": """, "not a JSON object")]
    [InlineData("""[1]""", "not a JSON object")]
    [InlineData("""7""", "not a JSON object")]
    [InlineData("""{\"a\": 1, \"a\": 2}""", "the same key twice")]
    [InlineData("DEEP", "nested deeper than 128 levels")]
    [InlineData("LARGE", "larger than 262144 bytes")]
    public async Task R06_arguments_that_cannot_be_sent_say_why(string arguments, string why)
    {
        arguments = arguments switch
        {
            "DEEP" => string.Concat(Enumerable.Repeat("{\\\"a\\\":", 200)) + "1" + new string('}', 200),
            "LARGE" => "{\\\"a\\\": \\\"" + new string('x', 256 * 1024) + "\\\"}",
            _ => arguments,
        };
        var (response, _) =
            await AskAsync(
                "openai", Tool($$$"""[{"index": 0, "id": "a", "function": {"name": "get", "arguments": "{{{arguments}}}"}}]""") + Done,
                streamed: true);

        response.Messages.SelectMany(m => m.Contents).OfType<FunctionCallContent>().Single().Exception!.Message.ShouldContain(why);
    }

    private static async Task<(ChatResponse Response, ModelException? Failure)> AskAsync(string kind, string body, bool streamed)
    {
        await using var server = await ModelServer.StartAsync(kind, new ModelReply.Raw(body));
        using var harness = new ModelHarness(ModelHarness.Of(("one", server.Config())) with { Retries = 0 });
        using var model = harness.Open();
        return (await ModelHarness.AskAsync(model, streamed), model.Failure);
    }

    private static string Read(ChatResponse response) =>
        string.Join("; ", response.Messages.SelectMany(m => m.Contents).Select(c => c switch
    {
        TextContent text => text.Text,
        FunctionCallContent { Exception: null } call => $"{call.Name} {JsonSerializer.Serialize(call.Arguments)}",
        _ => null,
    }).OfType<string>());

    private static string Chunk(string choice) => $$"""data: {"id": "1", "choices": [{{choice}}]}""" + "\n\n";

    private static string Tool(string calls) => Chunk($$$"""{"index": 0, "delta": {"tool_calls": {{{calls}}}}, "finish_reason": null}""");

    private static string Start(int index, string block) =>
        $$"""data: {"type": "content_block_start", "index": {{index}}, "content_block": {{block}}}""" + "\n\n";

    private static string Delta(int index, string delta) =>
        $$"""data: {"type": "content_block_delta", "index": {{index}}, "delta": {{delta}}}""" + "\n\n";

    private static string Stop(string reason) =>
        $$"""data: {"type": "message_delta", "delta": {"stop_reason": "{{reason}}"}, "usage": {"output_tokens": 2} }"""
            + "\n\nevent: ping\ndata: {\"type\": \"ping\"}\n\nevent: message_stop\ndata: {\"type\": \"message_stop\"}\n\n";
}
