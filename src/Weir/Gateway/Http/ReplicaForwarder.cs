using System.Buffers.Text;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;
using Weir.Egress;
using Weir.Errors;
using Weir.Http;
using Weir.Keys;
using Weir.Mcp;
using Weir.Replicas;

namespace Weir.Gateway.Http;

/// <summary>
/// Passes a request on to the replica that holds what it is about: an open stream, a parked call, a question that waits for its answer.
/// The request goes as it came, with the caller's own credential, which is proved there again; a seal of the shared keyring says that a
/// replica sent it, so that it is not passed on once more, and that its Host is that replica's word.
/// </summary>
internal sealed class ReplicaForwarder(
    Guid replicaId, ReplicaDirectory replicas, EgressHttp egress, Keyring keyring, IHostApplicationLifetime lifetime, TimeProvider time)
{
    public const string Header = "Weir-Handover";
    private const string Purpose = "mcp-handover";
    private static readonly TimeSpan SealLifetime = TimeSpan.FromSeconds(30);

    /// <summary>How long another replica may take to begin its answer to what needs no server.</summary>
    private static readonly TimeSpan BroadcastTimeout = TimeSpan.FromSeconds(2);

    private static readonly string[] Passed =
        [
            "Authorization", "Accept", "MCP-Protocol-Version", "Mcp-Session-Id", "Mcp-Method", "Mcp-Name", "Last-Event-ID", "traceparent",
            "tracestate",
        ];

    private static readonly string[] Returned = [
        "Content-Type", "Cache-Control", "X-Accel-Buffering", "Mcp-Session-Id", "Retry-After", "WWW-Authenticate",
    ];

    public Guid ReplicaId => replicaId;

    /// <summary>Whether another replica has passed this request on.</summary>
    public bool IsHandedOver(HttpRequest request)
    {
        var seal = request.Headers[Header].ToString();
        return seal.Length is > 0 and < 1024
            && Base64Url.IsValid(seal)
            && keyring.TryOpen(Purpose, Base64Url.DecodeFromChars(seal), default, out var plain)
            && Utf8Parser.TryParse(plain, out long until, out _)
            && until >= time.GetUtcNow().ToUnixTimeSeconds();
    }

    /// <summary>Whether what a replica holds is to be looked for elsewhere.</summary>
    public bool IsElsewhere(HttpRequest request, Guid replica) => replica != replicaId && !IsHandedOver(request);

    /// <summary>Has the other replica answer in this one's place. False when it is gone; nothing was sent then.</summary>
    public async Task<bool> TryAsync(HttpContext http, ReadOnlyMemory<byte> body, Guid replica)
    {
        var address = await replicas.FindAsync(replica, after: null, http.RequestAborted);
        if (address is null || await TryAsync(http, body, address))
        {
            return address is not null;
        }

        // It may have said meanwhile that it is reached elsewhere.
        address = await replicas.FindAsync(replica, address, http.RequestAborted);
        return address is not null && await TryAsync(http, body, address);
    }

    private async Task<bool> TryAsync(HttpContext http, ReadOnlyMemory<byte> body, ReplicaAddress address)
    {
        using var request = Request(http.Request, body, address.Url);
        // A stream of changes has no end of its own, and would hold up this replica's; a call is waited for.
        using var ending = IsEndless(http.Request)
            ? CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, lifetime.ApplicationStopping) : null;
        var ct = ending?.Token ?? http.RequestAborted;
        HttpResponseMessage response;
        try
        {
            response = await egress.Operator.SendAsync(request, ct);
        }
        catch (OperationCanceledException e) when (!http.RequestAborted.IsCancellationRequested)
        {
            throw new WeirException(ErrorCode.Unavailable, "Weir is shutting down.", "Retry at another replica.", e);
        }
        catch (HttpRequestException e) when (e.HttpRequestError is HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError)
        {
            return false;
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            throw Lost(e);
        }

        using (response)
        {
            await CopyAsync(response, http, isEndless: ending is not null, ct);
        }

        return true;
    }

    /// <summary>The request may have arrived, so it must not be repeated here.</summary>
    private static WeirException Lost(Exception e) => new(
        ErrorCode.UpstreamFailed, "The replica that handled this request stopped before it had answered.",
        "Check whether it took effect before you retry.", e)
    {
        MayHaveActed = true,
    };

    private static bool IsEndless(HttpRequest request) => HttpMethods.IsGet(request.Method)
        || request.Headers["Mcp-Method"] == Methods.Listen;

    /// <summary>Tells every other replica, where nobody knows which of them is meant. What they answer does not matter.</summary>
    public async Task NotifyReplicasAsync(HttpContext http, ReadOnlyMemory<byte> body)
    {
        if (IsHandedOver(http.Request))
        {
            return;
        }

        var others = (await replicas.LiveAsync(http.RequestAborted)).Where(r => r.Id != replicaId);
        await Task.WhenAll(others.Select(other => NotifyAsync(Request(http.Request, body, other.Url))));
    }

    private async Task NotifyAsync(HttpRequestMessage request)
    {
        using var deadline = new CancellationTokenSource(BroadcastTimeout, time);
        try
        {
            using (request)
            {
                using var response = await egress.Operator.SendAsync(request, deadline.Token);
            }
        }
        catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException)
        {
            // It is gone, and what it held with it.
        }
    }

    private HttpRequestMessage Request(HttpRequest original, ReadOnlyMemory<byte> body, Uri replica)
    {
        var request = new HttpRequestMessage(
            new HttpMethod(original.Method), new Uri(replica, original.PathBase + original.Path + original.QueryString));
        foreach (var name in original.Headers.Keys.Where(k =>
            Passed.Contains(k, StringComparer.OrdinalIgnoreCase) || k.StartsWith("Mcp-Param-", StringComparison.OrdinalIgnoreCase)))
        {
            request.Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)original.Headers[name]);
        }

        var until = (time.GetUtcNow() + SealLifetime).ToUnixTimeSeconds();
        request.Headers.TryAddWithoutValidation(Header, Base64Url.EncodeToString(keyring.Seal(
            Purpose, Encoding.ASCII.GetBytes(until.ToString(System.Globalization.CultureInfo.InvariantCulture)))));
        if (HttpMethods.IsPost(original.Method))
        {
            request.Content = new ReadOnlyMemoryContent(body);
            request.Content.Headers.TryAddWithoutValidation("Content-Type", original.ContentType);
        }

        return request;
    }

    /// <summary>The answer as it comes: an event must not wait for the next one.</summary>
    /// <exception cref="WeirException">
    /// WR013: the other replica is gone, and the caller can still be told, if need be by the stream's last event.
    /// </exception>
    private static async Task CopyAsync(HttpResponseMessage from, HttpContext http, bool isEndless, CancellationToken ct)
    {
        http.Response.StatusCode = (int)from.StatusCode;
        foreach (var name in Returned)
        {
            if (from.Headers.TryGetValues(name, out var values) || from.Content.Headers.TryGetValues(name, out values))
            {
                http.Response.Headers[name] = values.ToArray();
            }
        }

        await using var stream = await from.Content.ReadAsStreamAsync(ct);
        var buffer = new byte[16 * 1024];
        var isStream = from.Content.Headers.ContentType?.MediaType == EventStream.ContentType;
        var events = new EventEnd();
        try
        {
            for (int read; (read = await stream.ReadAsync(buffer, ct)) > 0;)
            {
                await http.Response.Body.WriteAsync(buffer.AsMemory(0, read), http.RequestAborted);
                await http.Response.Body.FlushAsync(http.RequestAborted);
                events.Read(buffer.AsSpan(0, read));
            }
        }
        catch (OperationCanceledException) when (!http.RequestAborted.IsCancellationRequested && isStream && events.IsEnd)
        {
            // This replica stops, and with it a stream that another holds.
            await http.Response.Body.WriteAsync(EventStream.ComeAgain.ToArray(), http.RequestAborted);
        }
        catch (Exception e) when (e is IOException or HttpRequestException && !http.RequestAborted.IsCancellationRequested)
        {
            if (isEndless && isStream && events.IsEnd)
            {
                await http.Response.Body.WriteAsync(EventStream.ComeAgain.ToArray(), http.RequestAborted);
            }
            else if (!http.Response.HasStarted || (isStream && events.IsEnd))
            {
                throw Lost(e);
            }
            else
            {
                // In the middle of an event: the client could not parse anything added now.
                http.Abort();
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or HttpRequestException)
        {
            // The client is gone, or this replica stops in the middle of an event: the other side sees its stream end.
        }
    }
}
