using System.Net.Http.Headers;
using System.Numerics.Tensors;
using System.Text.Json;
using Microsoft.Extensions.AI;
using Weir.Configuration;
using Weir.Egress;
using Weir.Errors;
using Weir.Knowledge.Vectors;

namespace Weir.Knowledge;

/// <summary>
/// Embeddings by an API that speaks OpenAI's <c>POST /v1/embeddings</c>. The URL is the operator's, so it may be a private one. Vectors
/// come back of length 1, in the order of the texts; one that is missing, of another length or no direction is an error of the whole
/// request.
/// </summary>
internal sealed class OpenAiEmbeddings(EmbeddingsConfig config, EgressHttp egress, Func<string, string?> environment, TimeProvider time)
    : IEmbeddingGenerator<string, Embedding<float>>
{
    private const string Name = "The embedding API";

    /// <summary>A number in JSON, at its longest.</summary>
    private const int BytesPerNumber = 32;
    private const int MostDimensions = 4096;

    private readonly Uri _url = new(config.Url!.ToString().TrimEnd('/') + "/embeddings");

    /// <exception cref="WeirException">WR008, WR010, WR012, WR013.</exception>
    public async Task<GeneratedEmbeddings<Embedding<float>>> GenerateAsync(
        IEnumerable<string> values, EmbeddingGenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        var texts = values.ToArray();
        using var request = new HttpRequestMessage(HttpMethod.Post, _url);
        request.Content = config.Dimensions > 0
            ? OutgoingJson.Body(new { model = config.Model, input = texts, encoding_format = "float", dimensions = config.Dimensions })
            : OutgoingJson.Body(new { model = config.Model, input = texts, encoding_format = "float" });
        if (config.KeyVariable is { } variable)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", OutgoingJson.Key(environment, variable));
        }

        var most = 64 * 1024 + (int)Math.Min(texts.Length * (long)MostDimensions * BytesPerNumber, 256 * 1024 * 1024);
        using var answer = await OutgoingJson.SendAsync(
            egress.Operator, request, Name, TimeSpan.FromSeconds(config.TimeoutSeconds), most, time, cancellationToken);
        return [.. Read(answer.RootElement, texts.Length).Select(vector => new Embedding<float>(vector) { ModelId = config.Model })];
    }

    public object? GetService(Type serviceType, object? serviceKey = null) =>
        serviceKey is null && serviceType == typeof(EmbeddingGeneratorMetadata)
            ? new EmbeddingGeneratorMetadata("openai", config.Url, config.Model, config.Dimensions > 0 ? config.Dimensions : null)
        : serviceKey is null && serviceType.IsInstanceOfType(this) ? this
        : null;

    public void Dispose()
    {
        // The connections are the egress handler's.
    }

    private static float[][] Read(JsonElement answer, int count)
    {
        var vectors = new float[count][];
        if (answer.ValueKind != JsonValueKind.Object || !answer.TryGetProperty("data", out var data)
            || data.ValueKind != JsonValueKind.Array || data.GetArrayLength() != count)
        {
            throw Broken($"not the {count} embeddings that were asked for");
        }

        var place = 0;
        foreach (var item in data.EnumerateArray())
        {
            // Some leave the index out; then they are in order.
            var index = item.ValueKind == JsonValueKind.Object && item.TryGetProperty("index", out var given)
                && given.ValueKind == JsonValueKind.Number && given.TryGetInt32(out var number)
                    ? number : place;
            place++;
            if (index < 0 || index >= count || vectors[index] is not null)
            {
                throw Broken("one text twice");
            }

            vectors[index] = ReadVector(item);
        }

        return Array.TrueForAll(vectors, v => v.Length == vectors[0].Length) ? vectors : throw Broken("vectors of several lengths");
    }

    private static float[] ReadVector(JsonElement item)
    {
        if (item.ValueKind != JsonValueKind.Object || !item.TryGetProperty("embedding", out var embedding)
            || embedding.ValueKind != JsonValueKind.Array
            || embedding.GetArrayLength() is 0 or > MostDimensions)
        {
            throw Broken("something that is no vector");
        }

        var vector = new float[embedding.GetArrayLength()];
        var i = 0;
        foreach (var number in embedding.EnumerateArray())
        {
            vector[i++] = number.ValueKind == JsonValueKind.Number && number.TryGetSingle(out var value)
                ? value : throw Broken("something that is no vector");
        }

        var length = TensorPrimitives.Norm<float>(vector);
        if (!float.IsFinite(length) || length < 1e-20f)
        {
            throw Broken("a vector without direction");
        }

        TensorPrimitives.Divide(vector, length, vector);
        return vector;
    }

    private static WeirException Broken(string what) => new(ErrorCode.UpstreamFailed, $"{Name} answered {what}.");
}
