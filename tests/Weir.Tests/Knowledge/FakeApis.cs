using System.Collections.Concurrent;
using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Weir.Tests.Knowledge;

/// <summary>One request that a fake got.</summary>
internal sealed record ApiRequest(string Method, string Path, IReadOnlyDictionary<string, string> Headers, string Body)
{
    public JsonElement Json => JsonElement.Parse(Body);
}

/// <summary>A local server that keeps what it is asked.</summary>
internal abstract class FakeApi : IAsyncDisposable
{
    private WebApplication? _app;

    public Uri Url { get; private set; } = null!;

    public ConcurrentQueue<ApiRequest> Requests { get; } = new();

    /// <summary>What the next requests get instead of an answer; taken one by one.</summary>
    public ConcurrentQueue<Func<HttpContext, Task>> Failures { get; } = new();

    public async Task StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        builder.Services.Configure<Microsoft.Extensions.Hosting.HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(1));
        _app = builder.Build();
        _app.Run(async http =>
        {
            using var reader = new StreamReader(http.Request.Body);
            var request = new ApiRequest(
                http.Request.Method, http.Request.Path,
                http.Request.Headers.ToDictionary(h => h.Key, h => h.Value.ToString(), StringComparer.OrdinalIgnoreCase),
                await reader.ReadToEndAsync());
            Requests.Enqueue(request);
            if (Failures.TryDequeue(out var fail))
            {
                await fail(http);
                return;
            }

            var (status, body) = Answer(request);
            http.Response.StatusCode = (int)status;
            http.Response.ContentType = "application/json";
            await http.Response.WriteAsync(body);
        });
        await _app.StartAsync();
        Url = new Uri(_app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single());
    }

    public async ValueTask DisposeAsync()
    {
        if (_app is not null)
        {
            await _app.DisposeAsync();
        }
    }

    public static Func<HttpContext, Task> Status(int status, string body = "{}") => async http =>
    {
        http.Response.StatusCode = status;
        await http.Response.WriteAsync(body);
    };

    public static Func<HttpContext, Task> Hang =>
        async http =>
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, http.RequestAborted)
                .ContinueWith(_ => { }, TaskScheduler.Default);

    protected abstract (HttpStatusCode Status, string Body) Answer(ApiRequest request);
}

/// <summary>
/// Speaks OpenAI's embeddings. Its model knows ten ideas by the words for them, so that texts without a word in common may be near;
/// whatever it does not know lies in one direction of its own.
/// </summary>
internal sealed class FakeEmbeddings : FakeApi
{
    private static readonly string[][] Ideas =
    [
        ["holiday", "holidays", "vacation", "leave"], ["salary", "salaries", "pay", "wage"], ["dog", "dogs", "puppy"],
        ["car", "cars", "automobile", "vehicle"], ["rain", "weather", "storm"],
        ["cook", "cooking", "recipe"], ["doctor", "physician", "medicine"], ["music", "song", "band"], ["money", "budget"],
    ];

    public static float[] VectorOf(string text)
    {
        var vector = new float[Ideas.Length + 1];
        vector[^1] = 0.1f;
        foreach (var word in text.ToLowerInvariant().Split([' ', '.', ',', '\n', '?', '!', ':'], StringSplitOptions.RemoveEmptyEntries))
        {
            for (var i = 0; i < Ideas.Length; i++)
            {
                vector[i] += Ideas[i].Contains(word) ? 1 : 0;
            }
        }

        return vector;
    }

    protected override (HttpStatusCode Status, string Body) Answer(ApiRequest request)
    {
        if (request.Path != "/v1/embeddings" || request.Method != "POST")
        {
            return (HttpStatusCode.NotFound, "{}");
        }

        var texts = request.Json.GetProperty("input").EnumerateArray().Select(i => i.GetString()!).ToArray();
        if (texts.Any(t => t.Contains("unembeddable", StringComparison.Ordinal)))
        {
            return (HttpStatusCode.BadRequest, """{"error": {"message": "the text with the secret is refused"}}""");
        }

        // Not in the order in which they were asked.
        var data = texts.Select((text, index) => new { @object = "embedding", index, embedding = VectorOf(text) }).Reverse();
        return (
            HttpStatusCode.OK,
            JsonSerializer.Serialize(
                new
                {
                    @object = "list",
                    data,
                    model = request.Json.GetProperty("model").GetString(),
                    usage = new { prompt_tokens = 1, total_tokens = 1 },
                }));
    }
}

/// <summary>Speaks Pinecone's HTTP API as its documentation has it, both planes on one port, and keeps vectors by namespace.</summary>
internal sealed class FakePinecone : FakeApi
{
    public const string Key = "pcsk_test_0123456789";
    public const string Index = "weir-docs";

    public ConcurrentDictionary<(string Namespace, string Id), (float[] Values, JsonElement Metadata)> Vectors { get; } = new();

    /// <summary>Ids that every query finds first, whoever asks: what a service that is broken or hostile may say.</summary>
    public string[] Planted { get; set; } = [];

    /// <summary>Null: itself.</summary>
    public string? Host { get; set; }

    protected override (HttpStatusCode Status, string Body) Answer(ApiRequest request)
    {
        if (request.Headers.GetValueOrDefault("Api-Key") != Key)
        {
            return (HttpStatusCode.Unauthorized, """{"error": {"code": "UNAUTHENTICATED", "message": "Invalid API key"}, "status": 401}""");
        }

        if (!request.Headers.ContainsKey("X-Pinecone-Api-Version"))
        {
            return (HttpStatusCode.BadRequest, "{}");
        }

        return (request.Method, request.Path) switch
        {
            ("GET", "/indexes/" + Index) => Ok(new
            {
                name = Index, dimension = 10, metric = "cosine", host = Host ?? Url.Authority,
                spec = new { serverless = new { cloud = "aws", region = "us-east-1" } }, status = new { ready = true, state = "Ready" },
            }),
            ("GET", _) => (HttpStatusCode.NotFound, """{"error": {"code": "NOT_FOUND", "message": "Resource not found"}, "status": 404}"""),
            ("POST", "/vectors/upsert") => Upsert(request.Json),
            ("POST", "/query") => Query(request.Json),
            ("POST", "/vectors/delete") => Delete(request.Json),
            _ => (HttpStatusCode.NotFound, "{}"),
        };
    }

    private (HttpStatusCode Status, string Body) Upsert(JsonElement body)
    {
        foreach (var vector in body.GetProperty("vectors").EnumerateArray())
        {
            Vectors[(body.GetProperty("namespace").GetString()!, vector.GetProperty("id").GetString()!)] =
                (vector.GetProperty("values").Deserialize<float[]>()!, vector.GetProperty("metadata").Clone());
        }

        return Ok(new { upsertedCount = body.GetProperty("vectors").GetArrayLength() });
    }

    private (HttpStatusCode Status, string Body) Query(JsonElement body)
    {
        var vector = body.GetProperty("vector").Deserialize<float[]>()!;
        var datastores = body.GetProperty("filter").GetProperty("datastore_id").GetProperty("$in").Deserialize<string[]>()!;
        var matches = Vectors
            .Where(
            v =>
                v.Key.Namespace == body.GetProperty("namespace").GetString()
                    && datastores.Contains(v.Value.Metadata.GetProperty("datastore_id").GetString()))
            .Select(v => (v.Key.Id, Score: v.Value.Values.Zip(vector).Sum(p => p.First * p.Second))).OrderByDescending(m => m.Score)
            .Take(body.GetProperty("topK").GetInt32());
        return Ok(new
        {
            matches = Planted.Select(id => (Id: id, Score: 0.99f)).Concat(matches)
                .Select(m => new { id = m.Id, score = m.Score, values = Array.Empty<float>() }),
            @namespace = body.GetProperty("namespace").GetString(),
            usage = new { readUnits = 5 },
        });
    }

    private (HttpStatusCode Status, string Body) Delete(JsonElement body)
    {
        foreach (var id in body.GetProperty("ids").EnumerateArray())
        {
            Vectors.TryRemove((body.GetProperty("namespace").GetString()!, id.GetString()!), out _);
        }

        return Ok(new { });
    }

    private static (HttpStatusCode Status, string Body) Ok<T>(T body) => (HttpStatusCode.OK, JsonSerializer.Serialize(body));
}
