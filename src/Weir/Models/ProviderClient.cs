using System.Buffers;
using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Microsoft.Extensions.AI;

namespace Weir.Models;

/// <summary>
/// One model of one provider. Timeouts, attempts, keys and failures of HTTP are other types' matter; see <see cref="ModelWire"/>.
/// </summary>
internal sealed class ProviderClient(HttpClient http, Uri url, string model, ModelApi api) : IChatClient
{
    private readonly Uri _url = new UriBuilder(url) { Path = url.AbsolutePath.TrimEnd('/') + api.Path }.Uri;

    public async Task<ChatResponse> GetResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        using var response = await SendAsync(messages, options, isStreamed: false, cancellationToken);
        return await ReadWholeAsync(response, cancellationToken);
    }

    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        using var response = await SendAsync(messages, options, isStreamed: true, cancellationToken);
        if (response.Content.Headers.ContentType?.MediaType == "application/json")
        {
            // Some endpoints do not stream.
            foreach (var update in (await ReadWholeAsync(response, cancellationToken)).ToChatResponseUpdates())
            {
                yield return update;
            }

            yield break;
        }

        var reader = api.Reader();
        await foreach (var happened in ModelEvents.ReadAsync(
            await response.Content.ReadAsStreamAsync(cancellationToken), cancellationToken))
        {
            yield return new ChatResponseUpdate(ChatRole.Assistant, reader.Take(happened));
        }

        reader.End();
        List<AIContent> last = [.. reader.Calls];
        if (reader.Usage is { } usage)
        {
            last.Add(new UsageContent(usage));
        }

        yield return new ChatResponseUpdate(ChatRole.Assistant, last) { FinishReason = reader.Finished };
    }

    public object? GetService(Type serviceType, object? serviceKey = null) => serviceKey is null && serviceType.IsInstanceOfType(this)
        ? this : null;

    public void Dispose()
    {
        // The connections are every model's.
    }

    private async Task<HttpResponseMessage> SendAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options, bool isStreamed, CancellationToken ct)
    {
        var body = new ArrayBufferWriter<byte>(4096);
        using (var json = new Utf8JsonWriter(body))
        {
            api.Write(json, model, [.. messages], options ?? new ChatOptions(), isStreamed);
        }

        using var request = new HttpRequestMessage(HttpMethod.Post, _url) { Content = new ReadOnlyMemoryContent(body.WrittenMemory) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue(isStreamed ? "text/event-stream" : "application/json"));
        foreach (var (name, value) in api.Headers)
        {
            request.Headers.Add(name, value);
        }

        return await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, ct);
    }

    private async Task<ChatResponse> ReadWholeAsync(HttpResponseMessage response, CancellationToken ct)
    {
        using var document = await JsonDocument.ParseAsync(await response.Content.ReadAsStreamAsync(ct), ModelJson.Reading, ct);
        var reader = api.Reader();
        var words = reader.TakeWhole(document.RootElement);
        return new ChatResponse(new ChatMessage(ChatRole.Assistant, [.. words, .. reader.Calls]))
        {
            FinishReason = reader.Finished,
            Usage = reader.Usage,
            ModelId = model,
        };
    }
}
