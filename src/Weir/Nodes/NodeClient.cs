using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Serialization.Metadata;
using Weir.Input;

namespace Weir.Nodes;

/// <summary>A node refused, or could not be asked.</summary>
/// <param name="code">One of <c>FailureCodes</c>: the node's own code, or why it could not be asked.</param>
/// <param name="isRetryable">The same request may succeed later.</param>
internal sealed class NodeCallException(string code, string message, bool isRetryable, Exception? inner = null) : Exception(message, inner)
{
    public const string NodeUnreachable = "node_unreachable";
    public const string NodeKeyLost = "node_key_lost";

    public string Code { get; } = code;

    public bool IsRetryable { get; } = isRetryable;

    /// <summary>The soonest time at which a retry is of use; null: not known.</summary>
    public TimeSpan? RetryAfter { get; init; }
}

/// <summary>Weir's side of the node's API.</summary>
/// <param name="http">The operator's connections of <c>Weir.Egress</c>: a node's address is the operator's, never a tenant's.</param>
internal sealed class NodeClient(HttpMessageInvoker http, TimeProvider time)
{
    /// <summary>The logs of a server are about 2 MiB.</summary>
    private const int MaxAnswerBytes = 4 * 1024 * 1024;

    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);

    /// <summary>Takes back what the node has acknowledged, and so has on disk.</summary>
    public Task<ServerStatus> PutAsync(
        NodeConnection node, Guid instanceId, ServerSpec spec, Guid operationId, CancellationToken ct) => SendAsync(
        node, HttpMethod.Put, $"v1/servers/{instanceId}", JsonContent.Create(spec, NodeJson.Default.ServerSpec),
        operationId, NodeJson.Default.ServerStatus, ct);

    public Task<ServerStatus> GetAsync(NodeConnection node, Guid instanceId, CancellationToken ct) =>
        SendAsync(node, HttpMethod.Get, $"v1/servers/{instanceId}", null, null, NodeJson.Default.ServerStatus, ct);

    public Task<ServerList> ListAsync(NodeConnection node, CancellationToken ct) =>
        SendAsync(node, HttpMethod.Get, "v1/servers", null, null, NodeJson.Default.ServerList, ct);

    public Task<ServerStatus> RestartAsync(NodeConnection node, Guid instanceId, CancellationToken ct) =>
        SendAsync(node, HttpMethod.Post, $"v1/servers/{instanceId}/restart", null, null, NodeJson.Default.ServerStatus, ct);

    public async Task DeleteAsync(NodeConnection node, Guid instanceId, CancellationToken ct)
    {
        using var response = await SendAsync(node, HttpMethod.Delete, $"v1/servers/{instanceId}", null, null, ct);
    }

    /// <param name="tail">The last lines, at most so many.</param>
    public Task<LogLines> LogsAsync(NodeConnection node, Guid instanceId, int tail, DateTimeOffset? since, CancellationToken ct)
    {
        var from = since is { } s ? $"&since={Uri.EscapeDataString(s.ToString("O"))}" : "";
        return SendAsync(
            node, HttpMethod.Get, $"v1/servers/{instanceId}/logs?tail={tail}{from}", null, null, NodeJson.Default.LogLines, ct);
    }

    public Task<NodeStatus> StatusAsync(NodeConnection node, CancellationToken ct) =>
        SendAsync(node, HttpMethod.Get, "v1/status", null, null, NodeJson.Default.NodeStatus, ct);

    private async Task<T> SendAsync<T>(
        NodeConnection node, HttpMethod method, string path, HttpContent? content, Guid? operationId, JsonTypeInfo<T> type,
        CancellationToken ct)
        where T : class
    {
        using var response = await SendAsync(node, method, path, content, operationId, ct);
        return JsonInput.TryRead(await response.Content.ReadAsByteArrayAsync(ct), JsonBounds.Answer, type, out var answer, out var problem)
            ? answer
            : throw new NodeCallException(
                NodeErrors.Internal, $"Node {node.Name} answered with something else than its API says: it {problem}", isRetryable: true);
    }

    private async Task<HttpResponseMessage> SendAsync(
        NodeConnection node, HttpMethod method, string path, HttpContent? content, Guid? operationId, CancellationToken ct)
    {
        using var request = new HttpRequestMessage(method, new Uri(node.ApiUrl, path)) { Content = content };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", node.ApiKey);
        request.Headers.Add(NodeContract.CapabilityHeader, $"{NodeContract.CapabilityVersion}");
        if (operationId is { } operation)
        {
            request.Headers.Add(NodeContract.IdempotencyHeader, operation.ToString());
        }

        using var limit = new CancellationTokenSource(Timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ct, limit.Token);
        HttpResponseMessage response;
        try
        {
            response = await http.SendAsync(request, either.Token);
            // The deadline is for the body too, and nobody streams here.
            await response.Content.LoadIntoBufferAsync(MaxAnswerBytes, either.Token);
        }
        catch (Exception e) when (e is HttpRequestException or IOException
            || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            throw new NodeCallException(NodeCallException.NodeUnreachable, $"Node {node.Name} does not answer.", isRetryable: true, e);
        }

        if (response.IsSuccessStatusCode)
        {
            return response;
        }

        using (response)
        {
            throw await RefusalAsync(node, response, ct);
        }
    }

    private static async Task<NodeCallException> RefusalAsync(NodeConnection node, HttpResponseMessage response, CancellationToken ct)
    {
        var status = (int)response.StatusCode;
        if (JsonInput.TryRead(
            await response.Content.ReadAsByteArrayAsync(ct), JsonBounds.Small, NodeJson.Default.NodeErrorBody, out var body, out _)
            && body.Error is { Code: { } code, Message: { } message })
        {
            return new NodeCallException(code, message, isRetryable: status >= 500 && code != NodeErrors.NotSupported);
        }

        // Something between Weir and the node has answered.
        return new NodeCallException(NodeErrors.Internal, $"Node {node.Name} answered {status}.", isRetryable: status >= 500);
    }
}
