using System.Net.ServerSentEvents;
using System.Text;
using System.Text.Json;

namespace Weir.Tests.Infrastructure;

/// <summary>An event stream, message by message, as it comes.</summary>
internal sealed class EventReader : IAsyncDisposable
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(20);

    private readonly HttpResponseMessage _response;
    private readonly IAsyncEnumerator<SseItem<string>> _events;

    private EventReader(HttpResponseMessage response, IAsyncEnumerator<SseItem<string>> events) =>
        (_response, _events) = (response, events);

    /// <summary>Posts a message (or opens the session's own stream, without one) and reads what comes.</summary>
    public static async Task<EventReader> OpenAsync(
        HttpClient http, string path, string? body, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(body is null ? HttpMethod.Get : HttpMethod.Post, path);
        request.Headers.TryAddWithoutValidation("Accept", body is null ? "text/event-stream" : "application/json, text/event-stream");
        foreach (var (name, value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        if (body is not null)
        {
            request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        }

        var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        response.Content.Headers.ContentType!.MediaType.ShouldBe("text/event-stream");
        return new EventReader(
            response, SseParser.Create(await response.Content.ReadAsStreamAsync()).EnumerateAsync().GetAsyncEnumerator());
    }

    /// <summary>The next message for which this holds.</summary>
    public async Task<JsonElement> NextAsync(Func<JsonElement, bool> holds)
    {
        while (await _events.MoveNextAsync().AsTask().WaitAsync(Timeout, TimeProvider.System))
        {
            if (_events.Current.Data.Length > 0 && JsonElement.Parse(_events.Current.Data) is var message && holds(message))
            {
                return message;
            }
        }

        throw new InvalidOperationException("The stream ended before that.");
    }

    public Task<JsonElement> NextAsync(string method) =>
        NextAsync(m => m.TryGetProperty("method", out var name) && name.ValueEquals(method));

    public Task<JsonElement> ResponseAsync() => NextAsync(m => !m.TryGetProperty("method", out _));

    public ValueTask DisposeAsync()
    {
        // The enumerator may be in the middle of a read, which the end of the response ends.
        _response.Dispose();
        return ValueTask.CompletedTask;
    }
}
