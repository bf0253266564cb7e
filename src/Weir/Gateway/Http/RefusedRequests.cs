using System.Security.Cryptography;
using Microsoft.AspNetCore.Http;
using Weir.Gateway.Calls;

namespace Weir.Gateway.Http;

/// <summary>A request of a known actor that cannot be understood, or is one too many: recorded as such, then refused.</summary>
internal sealed class RefusedRequests(RefusalRecord record, TimeProvider time)
{
    public Task RefuseAsync(McpRequest request, Refusal refusal) =>
        RefuseAsync(request.Http, request.Scope, refusal, request.Body, request.Message.Method, request.Id);

    /// <param name="body">What was read of it.</param>
    /// <param name="id">The request's, where it could be read.</param>
    public async Task RefuseAsync(
        HttpContext http, McpScope scope, Refusal refusal, ReadOnlyMemory<byte> body = default, string method = "", byte[]? id = null)
    {
        await RecordAsync(http, scope, body, method, "invalid_request");
        await McpErrors.RefuseAsync(http, refusal, id);
    }

    public Task RecordAsync(HttpContext http, McpScope scope, ReadOnlyMemory<byte> body, string method, string reason)
    {
        var request = new AdmissionRequest(
            CallKey.At(time.GetUtcNow()),
            OrganizationId: null,
            scope.Principal,
            CallKinds.Error,
            InstanceId: null,
            method,
            Arguments: null,
            http.TraceIdentifier,
            Attempt: 1,
            body.Length,
            SHA256.HashData(body.Span),
            "");
        return record.AddAsync(new RefusedRequest(request, reason));
    }
}
