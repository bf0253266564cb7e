using System.Text.Json.Nodes;

namespace Weir.Tests.Fixtures.Conformance;

/// <summary>The prompts that the suite names, and completion of their arguments.</summary>
internal static class Prompts
{
    private static readonly string[] Words = ["paris", "park", "party", "testValue1", "testValue2"];

    public static JsonArray List(Features features)
    {
        var prompts = new JsonArray(
            Entry("test_simple_prompt"),
            Entry("test_prompt_with_arguments", "arg1", "arg2"),
            Entry("test_prompt_with_embedded_resource", "resourceUri"),
            Entry("test_prompt_with_image"),
            Entry("test_input_required_result_prompt"));
        if (features.HasDynamicPrompt)
        {
            prompts.Add(Entry("test_dynamic_prompt"));
        }

        return prompts;
    }

    public static async Task<JsonObject> GetAsync(ServerCall call) => call.Params["name"]?.GetValue<string>() switch
    {
        "test_simple_prompt" or "test_dynamic_prompt" => Messages(Text("This is a simple prompt for testing.")),
        "test_prompt_with_arguments" =>
            Messages(Text($"Prompt with arguments: arg1='{Argument(call, "arg1")}', arg2='{Argument(call, "arg2")}'")),
        "test_prompt_with_embedded_resource" => Messages(
            new JsonObject
            {
                ["type"] = "resource",
                ["resource"] = new JsonObject
                {
                    ["uri"] = Argument(call, "resourceUri"),
                    ["mimeType"] = "text/plain",
                    ["text"] = "Embedded resource content for testing.",
                },
            },
            Text("Please process the embedded resource above.")),
        "test_prompt_with_image" => Messages(
            new JsonObject { ["type"] = "image", ["data"] = Resources.Image, ["mimeType"] = "image/png" },
            Text("Please analyze the image above.")),
        "test_input_required_result_prompt" => Messages(Text("Prompt with context: " + Tools.Field(
            await call.AskAsync(Tools.Elicit("user_context", "What context should the prompt use?", "context")), "context"))),
        var name => throw new RpcException(Rpc.InvalidParams, $"Unknown prompt: {name}"),
    };

    public static JsonObject Complete(ServerCall call)
    {
        var name = call.Params["ref"]?["name"] ?? call.Params["ref"]?["uri"];
        var typed = call.Params["argument"]?["value"]?.GetValue<string>() ?? "";
        var values = name?.GetValue<string>() == "test://template/{id}/data" ? ["1", "12", "123"] : Words;
        var found = values.Where(v => v.StartsWith(typed, StringComparison.Ordinal)).Select(v => (JsonNode)JsonValue.Create(v)).ToArray();
        return new JsonObject
        {
            ["completion"] = new JsonObject { ["values"] = new JsonArray(found), ["total"] = found.Length, ["hasMore"] = false },
        };
    }

    private static string Argument(ServerCall call, string name) =>
        call.Arguments[name]?.GetValue<string>() ?? throw new RpcException(Rpc.InvalidParams, $"The argument {name} is required");

    private static JsonObject Entry(string name, params string[] arguments)
    {
        var entry = new JsonObject { ["name"] = name, ["description"] = $"The prompt {name} of the tests" };
        if (arguments.Length > 0)
        {
            entry["arguments"] =
                new JsonArray(
                    [.. arguments.Select(a => new JsonObject { ["name"] = a, ["description"] = "An argument", ["required"] = true })]);
        }

        return entry;
    }

    private static JsonObject Text(string text) => new() { ["type"] = "text", ["text"] = text };

    private static JsonObject Messages(params JsonObject[] contents) =>
        new() { ["messages"] = new JsonArray([.. contents.Select(c => new JsonObject { ["role"] = "user", ["content"] = c })]) };
}
