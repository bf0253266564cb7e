using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Weir.Bench;

/// <summary>
/// A model that speaks the wire format of OpenAI's chat completions, needs 300 ms to its first token, and says ten words.
/// </summary>
internal static class StubModel
{
    private static readonly TimeSpan FirstToken = TimeSpan.FromMilliseconds(300);
    private static readonly string[] Words = ["The ", "answer ", "of ", "a ", "model ", "that ", "has ", "only ", "ten ", "words."];

    public static async Task<int> RunAsync(int port)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls($"http://127.0.0.1:{port}");
        builder.Logging.ClearProviders();
        await using var app = builder.Build();
        app.MapPost("/v1/chat/completions", AnswerAsync);
        await app.RunAsync();
        return 0;
    }

    private static async Task AnswerAsync(HttpContext http)
    {
        var request = (await JsonDocument.ParseAsync(http.Request.Body)).RootElement;
        await Task.Delay(FirstToken, TimeProvider.System, http.RequestAborted);
        if (!request.TryGetProperty("stream", out var stream) || stream.ValueKind != JsonValueKind.True)
        {
            await http.Response.WriteAsJsonAsync(new
            {
                id = "stub",
                @object = "chat.completion",
                created = 0,
                model = "stub",
                choices = new[]
                {
                    new { index = 0, message = new { role = "assistant", content = string.Concat(Words) }, finish_reason = "stop" },
                },
                usage = new { prompt_tokens = 100, completion_tokens = 10, total_tokens = 110 },
            });
            return;
        }

        http.Response.ContentType = "text/event-stream";
        foreach (var word in Words)
        {
            await WriteAsync(http, new { role = "assistant", content = word }, finish: null);
        }

        await WriteAsync(http, new { }, "stop");
        await http.Response.WriteAsync("data: [DONE]\n\n");
    }

    private static Task WriteAsync(
        HttpContext http, object delta, string? finish) => http.Response.WriteAsync("data: " + JsonSerializer.Serialize(new
    {
        id = "stub",
        @object = "chat.completion.chunk",
        created = 0,
        model = "stub",
        choices = new[] { new { index = 0, delta, finish_reason = finish } },
    }) + "\n\n");
}
