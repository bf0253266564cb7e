using System.Text.Json.Nodes;

namespace Weir.Tests.Fixtures.Conformance;

/// <summary>A failure that the model is to see, not the client.</summary>
internal sealed class ToolException(string message) : Exception(message);

/// <summary>The tools that the suite names, and below them those that only Weir's own tests call.</summary>
internal static class Tools
{
    private static readonly Dictionary<string, Func<Features, ServerCall, Task<JsonObject>>> All = new()
    {
        ["test_simple_text"] = (_, _) => Said("This is a simple text response for testing."),
        ["test_image_content"] = (_, _) => Shown(Image),
        ["test_audio_content"] = (_, _) =>
            Shown(new JsonObject { ["type"] = "audio", ["data"] = Resources.Audio, ["mimeType"] = "audio/wav" }),
        ["test_embedded_resource"] = (_, _) =>
            Shown(Embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")),
        ["test_multiple_content_types"] = (_, _) => Shown(
            Text("Multiple content types test:"), Image,
            Embedded("test://mixed-content-resource", "application/json", """{"test":"data","value":123}""")),
        ["test_error_handling"] = (_, _) => throw new ToolException("This tool intentionally returns an error for testing"),
        ["test_tool_with_logging"] = LogAsync,
        ["test_logging_tool"] = LogAsync,
        ["test_tool_with_progress"] = ProgressAsync,
        ["test_reconnection"] = async (_, call) =>
        {
            await call.ReconnectAsync();
            return await Said("Reconnection test completed successfully.");
        },
        ["test_sampling"] = async (_, call) =>
            await Said(
                "LLM response: " + Sampled(await call.AskAsync(Sample("sample", call.Arguments["prompt"]?.GetValue<string>() ?? "")))),
        ["test_elicitation"] = async (_, call) =>
            await Answered(await call.AskAsync(Elicit("answer", call.Arguments["message"]?.GetValue<string>() ?? "", "username", "email"))),
        ["test_elicitation_sep1034_defaults"] = async (_, call) =>
            await Answered(await call.AskAsync(Form("defaults", "Please review the defaults", Schemas.Defaults))),
        ["test_elicitation_sep1330_enums"] = async (_, call) =>
            await Answered(await call.AskAsync(Form("enums", "Please select", Schemas.Enums))),
        ["json_schema_2020_12_tool"] = (_, call) => Said("Called with " + call.Arguments.ToJsonString()),
        ["test_custom_headers"] = (_, call) => Said("Called with " + call.Arguments.ToJsonString()),
        ["test_missing_capability"] = (_, call) => call.Can("sampling") ? Said("Success") : throw call.MissingCapability("sampling"),
        ["test_streaming_elicitation"] = async (_, call) =>
        {
            await call.ProgressAsync(50);
            return await Answered(await call.AskAsync(Elicit("streamed", "What is your name?", "name")));
        },
        ["progress_while_asking"] = async (features, call) =>
        {
            var answer = call.AskAsync(Elicit("answer", "Who are you?", "username"));
            await features.GoOn.WaitAsync();
            await call.ProgressAsync(50);
            features.WentOn.Release();
            return await Answered(await answer);
        },
        ["test_input_required_result_elicitation"] = async (_, call) =>
            await Said($"Hello, {Field(await call.AskAsync(Elicit("user_name", "What is your name?", "name")), "name")}!"),
        ["test_input_required_result_sampling"] = async (_, call) =>
            await Said("Sampling result: " + Sampled(await call.AskAsync(Sample("capital_question", "What is the capital of France?")))),
        ["test_input_required_result_list_roots"] = async (_, call) => await Said($"Found {Roots(await call.AskAsync(ListRoots))} root(s)"),
        ["test_input_required_result_request_state"] = async (_, call) =>
        {
            await call.AskAsync(Confirm);
            return await Said("state-ok: requestState validated");
        },
        ["test_input_required_result_tampered_state"] = async (_, call) =>
        {
            await call.AskAsync(Confirm);
            return await Said("integrity-ok: state verified");
        },
        ["test_input_required_result_multiple_inputs"] = async (_, call) =>
        {
            var answers = await call.AskAsync(
                [Elicit("user_name", "What is your name?", "name"), Sample("greeting", "Generate a greeting"), ListRoots]);
            return await Said(
                $"Name: {Field(answers["user_name"], "name")}; Greeting: {Sampled(answers["greeting"])}; Roots: "
                    + $"{Roots(answers["client_roots"])}");
        },
        ["test_input_required_result_multi_round"] = async (_, call) =>
        {
            var name = Field(await call.AskAsync(Elicit("step1", "Step 1: What is your name?", "name")), "name");
            var color = Field(await call.AskAsync(Elicit("step2", "Step 2: What is your favorite color?", "color")), "color");
            return await Said($"Multi-round complete for {name} who likes {color}");
        },
        ["test_input_required_result_capabilities"] = async (_, call) =>
        {
            Question[] questions = [Elicit("elicit_input", "Elicitation input", "value"), Sample("sample_input", "Sample request")];
            var answers = await call.AskAsync([.. questions.Where(q => call.Can(q.Capability))]);
            return await Said("capabilities-ok: " + string.Join(',', answers.Keys));
        },
        ["test_trigger_tool_change"] = (features, _) => Changed(features.ChangeTools),
        ["test_trigger_prompt_change"] = (features, _) => Changed(features.ChangePrompts),

        ["test_trigger_resource_update"] = (features, _) => Changed(features.ChangeWatchedResource),
        ["test_elicitation_url"] = async (
            _, call) => await Answered(await call.AskAsync(new Question("visit", "elicitation/create", new JsonObject
        {
            ["mode"] = "url", ["message"] = "Please sign in", ["url"] = "https://example.test/sign-in", ["elicitationId"] = "sign-in-1",
        }))),
        ["test_wait"] = WaitAsync,
        ["test_dynamic_tool"] = (_, _) => Said("I come and go."),
    };

    private static JsonObject Image => new() { ["type"] = "image", ["data"] = Resources.Image, ["mimeType"] = "image/png" };

    private static Question ListRoots => new("client_roots", "roots/list", new JsonObject());

    private static Question Confirm =>
        Form("confirm", "Please confirm", Rpc.Object("""{"type":"object","properties":{"ok":{"type":"boolean"}},"required":["ok"]}"""));

    public static JsonArray List(Features features) =>
        new([.. All.Keys.Where(name => name != "test_dynamic_tool" || features.HasDynamicTool).Select(Entry)]);

    /// <summary>The schema's annotated parameters; a modern client repeats them in headers.</summary>
    public static IReadOnlyDictionary<string, string> HeadersOf(string? tool) => tool == "test_custom_headers"
        ? Schemas.Headers : new Dictionary<string, string>();

    public static async Task<JsonObject> CallAsync(Features features, ServerCall call)
    {
        var name = call.Params["name"]?.GetValue<string>();
        if (name is null || !All.TryGetValue(name, out var run))
        {
            throw new RpcException(Rpc.InvalidParams, $"Unknown tool: {name}");
        }

        try
        {
            return await run(features, call);
        }
        catch (ToolException e)
        {
            return new JsonObject { ["content"] = new JsonArray(Text(e.Message)), ["isError"] = true };
        }
    }

    public static Question Elicit(string key, string message, params string[] fields)
    {
        var properties = new JsonObject();
        foreach (var field in fields)
        {
            properties[field] = new JsonObject { ["type"] = "string", ["description"] = $"Your {field}" };
        }

        return Form(
            key, message,
            new JsonObject
            {
                ["type"] = "object",
                ["properties"] = properties,
                ["required"] = new JsonArray([.. fields.Select(f => JsonValue.Create(f))]),
            });
    }

    public static string Field(JsonObject answer, string name) => answer["content"]?[name]?.ToString() ?? "unknown";

    private static JsonObject Entry(string name) => new()
    {
        ["name"] = name,
        ["description"] = $"The tool {name} of the tests",
        ["inputSchema"] = name switch
        {
            "json_schema_2020_12_tool" => Schemas.Draft2020.DeepClone(),
            "test_custom_headers" => Schemas.CustomHeaders.DeepClone(),
            "test_sampling" => Rpc.Object("""{"type":"object","properties":{"prompt":{"type":"string"}},"required":["prompt"]}"""),
            "test_elicitation" => Rpc.Object("""{"type":"object","properties":{"message":{"type":"string"}},"required":["message"]}"""),
            _ => Rpc.Object("""{"type":"object","properties":{}}"""),
        },
    };

    private static async Task<JsonObject> LogAsync(Features features, ServerCall call)
    {
        await call.LogAsync("Tool execution started");
        await call.LogAsync("Tool processing data");
        await call.LogAsync("Tool execution completed");
        return await Said("Tool with logging executed successfully");
    }

    private static async Task<JsonObject> ProgressAsync(Features features, ServerCall call)
    {
        await call.ProgressAsync(0);
        await call.ProgressAsync(50);
        await call.ProgressAsync(100);
        return await Said("Tool with progress executed successfully");
    }

    /// <summary>Says that it has begun, then waits until nobody wants its answer.</summary>
    private static async Task<JsonObject> WaitAsync(Features features, ServerCall call)
    {
        await call.ProgressAsync(1);
        try
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, call.Cancelled);
        }
        finally
        {
            features.CountCancelled();
        }

        return await Said("never");
    }

    private static Task<JsonObject> Changed(Action change)
    {
        change();
        return Said("Mutation triggered");
    }

    private static Question Form(string key, string message, JsonObject schema) =>
        new(key, "elicitation/create", new JsonObject { ["message"] = message, ["requestedSchema"] = schema.DeepClone() });

    private static Question Sample(string key, string prompt) => new(key, "sampling/createMessage", new JsonObject
    {
        ["messages"] = new JsonArray(new JsonObject { ["role"] = "user", ["content"] = Text(prompt) }),
        ["maxTokens"] = 100,
    });

    private static string Sampled(JsonObject answer) => answer["content"]?["text"]?.GetValue<string>() ?? "no response";

    private static int Roots(JsonObject answer) => (answer["roots"] as JsonArray)?.Count ?? 0;

    private static Task<JsonObject> Answered(JsonObject answer) =>
        Said($"User response: action={answer["action"]}, content={answer["content"]?.ToJsonString() ?? "{}"}");

    private static Task<JsonObject> Said(string text) => Shown(Text(text));

    private static Task<JsonObject> Shown(params JsonObject[] content) =>
        Task.FromResult(new JsonObject { ["content"] = new JsonArray([.. content]) });

    private static JsonObject Text(string text) => new() { ["type"] = "text", ["text"] = text };

    private static JsonObject Embedded(string uri, string type, string text) =>
        new() { ["type"] = "resource", ["resource"] = new JsonObject { ["uri"] = uri, ["mimeType"] = type, ["text"] = text } };
}
