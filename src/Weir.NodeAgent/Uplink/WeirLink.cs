using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Weir.NodeAgent.Servers;
using Weir.NodeAgent.State;
using Weir.Input;
using Weir.Nodes;

namespace Weir.NodeAgent.Uplink;

/// <summary>Who this node is to Weir. In <c>state/node.json</c>, readable by the node only.</summary>
internal sealed record NodeIdentity(string WeirUrl, Guid NodeId, string NodeKey);

/// <summary>
/// Tells Weir that the node is there: registers once with the one-time token, then beats every few seconds and whenever an instance
/// changes its state. Weir may be away for as long as it likes; the instances run on.
/// </summary>
internal sealed class WeirLink : IDisposable
{
    private const int LongestAnswer = 64 * 1024;
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Farewell = TimeSpan.FromSeconds(2);

    private readonly Uri _weir;
    private readonly string _file;
    private readonly RegisterRequest _registration;
    private readonly Func<HeartbeatRequest> _heartbeat;
    private readonly Func<ServerGeneration, Task> _leave;
    private readonly Backoff _backoff;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly HttpClient _http;
    private readonly SemaphoreSlim _changed = new(0, 1);
    private volatile NodeIdentity? _current;
    private readonly TaskCompletionSource<Guid> _registered = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <param name="leave">Ends an instance that Weir does not place on this node.</param>
    public WeirLink(
        Uri weir, string dataDirectory, RegisterRequest registration, Func<HeartbeatRequest> heartbeat, Func<ServerGeneration, Task> leave,
        Func<double> chance, TimeProvider time, ILogger log)
    {
        (_weir, _registration, _heartbeat, _leave, _time, _log) = (weir, registration, heartbeat, leave, time, log);
        _file = Path.Combine(dataDirectory, "state", "node.json");
        _backoff = new Backoff(TimeSpan.FromMilliseconds(500), TimeSpan.FromSeconds(30), chance);
        // The only place that a node itself connects to is the one that its operator has named; it follows no redirect elsewhere.
        _http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, PooledConnectionLifetime = TimeSpan.FromMinutes(5) })
        {
            Timeout = Timeout, MaxResponseContentBufferSize = LongestAnswer,
        };
    }

    /// <summary>The node's id, once Weir knows it.</summary>
    public Task<Guid> Registered => _registered.Task;

    /// <summary>Makes the next heartbeat come at once.</summary>
    public void TriggerNow()
    {
        try
        {
            _changed.Release();
        }
        catch (SemaphoreFullException)
        {
            // It is hurrying already.
        }
    }

    public async Task RunAsync(CancellationToken stop)
    {
        var stored = Load();
        // A token together with another Weir's identity means to move there.
        var (identity, failures) = (stored?.WeirUrl == _weir.ToString() || _registration.Token.Length == 0 ? stored : null, 0);

        var swapped = false;
        string? trouble = null;
        while (!stop.IsCancellationRequested)
        {
            try
            {
                identity ??= await RegisterAsync(stop);
                var answer = await BeatAsync(identity, stop);
                _ = LeaveAsync(answer.NotPlaced ?? []);
                _current = identity;
                _registered.TrySetResult(identity.NodeId);
                (failures, trouble) = (0, null);
            }
            catch (RefusedException) when (!swapped && (identity is null ? stored is not null : _registration.Token.Length > 0))
            {
                // The token may be used up, and the key of a database that is no more: then the other one may be good.
                (identity, swapped) = (identity is null ? stored : null, true);
                continue;
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e) when (e is HttpRequestException or OperationCanceledException or JsonException or IOException)
            {
                failures++;
                // Once, and again when the reason is another one: a Weir that was away may be back and not know this node.
                if (e.Message != trouble)
                {
                    trouble = e.Message;
                    _log.LogWarning("Weir at {Weir} does not answer as it should: {Reason} The node tries on.", _weir, e.Message);
                }
            }

            var wait = failures == 0 ? Every : _backoff.Wait(failures);
            using var pause = CancellationTokenSource.CreateLinkedTokenSource(stop);
            // A changed state shortens the pause between beats, but not the wait for a Weir that is away.
            var hurried = failures == 0 ? _changed.WaitAsync(pause.Token) : Task.Delay(wait, _time, pause.Token);
            await Task.WhenAny(hurried, Task.Delay(wait, _time, pause.Token));
            await pause.CancelAsync();
        }
    }

    /// <summary>The last word of a node that ends in order: what ran here does not run now.</summary>
    public async Task SendFinalHeartbeatAsync(HeartbeatRequest last)
    {
        if (_current is not { } identity)
        {
            return;
        }

        using var limit = new CancellationTokenSource(Farewell, _time);
        try
        {
            await PostAsync("nodes/v1/heartbeat", HeartbeatFit.Fit(last), NodeJson.Default.HeartbeatRequest,
                NodeJson.Default.HeartbeatResponse, identity.NodeKey, limit.Token);
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException or JsonException or IOException)
        {
            // Weir will notice the silence.
        }
    }

    public void Dispose() => _http.Dispose();

    private async Task<NodeIdentity> RegisterAsync(CancellationToken stop)
    {
        // The token is the bearer, so that Weir can refuse it before it reads the rest.
        var answer = await PostAsync(
            "nodes/v1/register", _registration with { Token = "" }, NodeJson.Default.RegisterRequest, NodeJson.Default.RegisterResponse,
            _registration.Token, stop, "the registration token is unknown, used or expired; issue another one.");
        var identity = new NodeIdentity(_weir.ToString(), answer.NodeId, answer.NodeKey);
        StateFile.Write(_file, JsonSerializer.SerializeToUtf8Bytes(identity, LinkJson.Default.NodeIdentity));
        _log.LogInformation("Registered at {Weir} as node {Node}.", _weir, identity.NodeId);
        return identity;
    }

    private Task<HeartbeatResponse> BeatAsync(NodeIdentity identity, CancellationToken stop) => PostAsync(
        "nodes/v1/heartbeat", HeartbeatFit.Fit(_heartbeat()), NodeJson.Default.HeartbeatRequest, NodeJson.Default.HeartbeatResponse,
        identity.NodeKey, stop);

    private async Task<TAnswer> PostAsync<TBody, TAnswer>(
        string path, TBody body, JsonTypeInfo<TBody> bodyType, JsonTypeInfo<TAnswer> answerType, string key, CancellationToken stop,
        string refusal = "the node's key is refused; remove state/node.json and register again.")
        where TAnswer : class
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(_weir, path)) { Content = JsonContent.Create(body, bodyType) };
        request.Headers.Add(NodeContract.CapabilityHeader, $"{NodeContract.CapabilityVersion}");
        if (key.Length > 0)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        }

        using var response = await _http.SendAsync(request, stop);
        if (response.StatusCode == HttpStatusCode.Unauthorized)
        {
            throw new RefusedException(refusal);
        }

        response.EnsureSuccessStatusCode();
        var bytes = await response.Content.ReadAsByteArrayAsync(stop);
        return JsonInput.TryRead(bytes, JsonBounds.Small, answerType, out var answer, out var problem)
            ? answer
            : throw new JsonException($"Weir's answer {problem}");
    }

    /// <summary>Beside the heartbeats, which wait for no instance. What fails is named again by the next answer.</summary>
    private async Task LeaveAsync(ServerGeneration[] notPlaced)
    {
        foreach (var server in notPlaced)
        {
            try
            {
                await _leave(server);
            }
            catch (Exception e) when (e is NodeException or IOException)
            {
                _log.LogWarning(
                    "Instance {Id}, which Weir does not place on this node, is not stopped yet: {Reason}", server.Id, e.Message);
            }
        }
    }

    private NodeIdentity? Load()
    {
        if (!File.Exists(_file))
        {
            return null;
        }

        return JsonSerializer.Deserialize(File.ReadAllBytes(_file), LinkJson.Default.NodeIdentity);
    }

    private sealed class RefusedException(string message) : HttpRequestException(message);
}

[System.Text.Json.Serialization.JsonSourceGenerationOptions(
    PropertyNamingPolicy = System.Text.Json.Serialization.JsonKnownNamingPolicy.CamelCase, RespectNullableAnnotations = true)]
[System.Text.Json.Serialization.JsonSerializable(typeof(NodeIdentity))]
internal sealed partial class LinkJson : System.Text.Json.Serialization.JsonSerializerContext;
